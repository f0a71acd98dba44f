package outlook

import "encoding/json"

// pipe works on one page while the next ones are on their way: rendering a page takes as long as the service takes to make one.
type pipe struct {
	pages chan []json.RawMessage
	ended chan struct{} // closed once work failed or all of it is done
	err   error         // readable once ended
}

// pagesAhead is how many pages may lie ready, each of some megabytes: the next one is asked for although what is done with an
// earlier one, such as writing bodies to the disk, takes longer for once.
const pagesAhead = 2

// newPipe calls work for each page that is pushed, one after the other.
func newPipe(work func([]json.RawMessage) error) *pipe {
	p := &pipe{pages: make(chan []json.RawMessage, pagesAhead), ended: make(chan struct{})}
	go func() {
		defer close(p.ended)
		for page := range p.pages {
			if p.err = work(page); p.err != nil {
				return
			}
		}
	}()
	return p
}

// push hands over a page. It fails with the error of an earlier one.
func (p *pipe) push(page []json.RawMessage) error {
	select {
	case p.pages <- page:
		return nil
	case <-p.ended:
		return p.err
	}
}

// close waits until the work is done and gives its error. Nothing may be pushed afterwards.
func (p *pipe) close() error {
	close(p.pages)
	<-p.ended
	return p.err
}
