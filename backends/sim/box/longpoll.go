package box

import (
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/workfs/workfs/backends/sim/core"
)

// mostRetries is how often a long poll's address may be used again.
const mostRetries = 10

// mostChannels bounds the addresses that are remembered; when there are more, all become unknown.
const mostChannels = 4096

// polls are the addresses that OPTIONS gave out.
type polls struct {
	mu       sync.Mutex
	made     int
	held     int // polls that wait
	channels map[string]*channel
}

func (p *polls) hold(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.held += n
}

// channel is one address for long polls, for one user and one stream.
type channel struct {
	user   *user
	stream string
	used   int
}

func (s *Server) realtimeRoutes() {
	sw := s.w.Switches
	sw.Register("box.poll_seconds", 600, "how long a poll waits before it answers reconnect")
	sw.Register("box.poll_retry_timeout", 610, "retry_timeout of the addresses for long polls, in seconds")
	sw.Register("box.poll_next", "", "messages for the next polls instead of true ones, separated by commas: new_change, reconnect, max_retries, "+
		"silence (never answers), anything else as an unknown message")
	s.realtime.Handle("GET /subscribe", s.numbered(s.subscribe))
	s.realtime.NotFound = func(r *core.Request, _ bool) {
		s.number(r)
		plain(r, http.StatusNotFound, "Not found")
	}
}

// realtimeServers answers with the address for long polls of a user's stream. Streams for administrators have none.
func (c *call) realtimeServers() error {
	name, st, err := c.stream()
	if err != nil {
		return err
	}
	if st.admin {
		return errParameter("stream_type", "Invalid value '"+name+"'.")
	}
	p := &c.s.polls
	p.mu.Lock()
	p.made++
	sum := c.s.w.Sum("box channel " + strconv.Itoa(p.made))
	id := hex.EncodeToString(sum[:16])
	if len(p.channels) >= mostChannels {
		clear(p.channels)
	}
	p.channels[id] = &channel{user: c.v.user, stream: name}
	p.mu.Unlock()
	respond(c.Request, http.StatusOK, object{{"chunk_size", 1}, {"entries", []object{{
		{"type", "realtime_server"}, {"url", c.World.Hosts.BoxRealtime + "/subscribe?channel=" + id + "&stream_type=" + name},
		// These two are texts in recorded answers, numbers in a guide.
		{"ttl", "10"}, {"max_retries", strconv.Itoa(mostRetries)}, {"retry_timeout", c.s.w.Switches.Int("box.poll_retry_timeout")},
	}}}})
	return nil
}

// use counts a use of an address; over says that there were too many.
func (p *polls) use(id string) (ch *channel, over bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if ch = p.channels[id]; ch == nil {
		return nil, false
	}
	ch.used++
	return ch, ch.used > 1+mostRetries
}

// scripted takes the next message that a test wants.
func (s *Server) scripted(name string) string {
	s.scripts.Lock()
	defer s.scripts.Unlock()
	next, rest, _ := strings.Cut(s.w.Switches.String(name), ",")
	if next != "" {
		_ = s.w.Switches.Set(name, rest) // a registered switch of that type
	}
	return strings.TrimSpace(next)
}

// subscribe is the long poll: it answers with one message when the stream has something behind the position, or when it
// has waited long enough, and closes the connection.
func (s *Server) subscribe(r *core.Request) {
	r.W.Header().Set("Connection", "close")
	q := r.URL.Query()
	ch, over := s.polls.use(q.Get("channel"))
	if ch == nil {
		plain(r, http.StatusNotFound, "Unknown channel")
		return
	}
	if over {
		respond(r, http.StatusOK, object{{"message", "max_retries"}})
		return
	}
	pos := s.journal.now()
	if text := q.Get("stream_position"); text != "" && text != "now" {
		var err error
		if pos, err = strconv.ParseInt(text, 10, 64); err != nil {
			plain(r, http.StatusBadRequest, "Invalid stream_position")
			return
		}
	}
	s.polls.hold(1)
	defer s.polls.hold(-1)
	message := s.scripted("box.poll_next")
	if message == "" {
		if message = s.wait(r, ch, pos); message == "" {
			return // nobody listens any more
		}
	}
	switch message {
	case "silence":
		select {
		case <-r.Context().Done():
		case <-s.bg.ctx.Done():
		}
	case "reconnect":
		respond(r, http.StatusOK, object{{"version", 1}, {"message", message}})
	default:
		respond(r, http.StatusOK, object{{"message", message}})
	}
}

// wait gives the message of a poll, "" when the client or the simulator ends first.
func (s *Server) wait(r *core.Request, ch *channel, pos int64) string {
	until := s.w.Clock.Now().Add(time.Duration(s.w.Switches.Int("box.poll_seconds")) * time.Second)
	expired := make(chan struct{})
	go func() {
		if s.w.Clock.Sleep(r.Context(), until) == nil {
			close(expired)
		}
	}()
	for before := -1; ; {
		found, news, nudges := s.journal.watch(ch.user, ch.stream, pos)
		if found || before >= 0 && nudges != before {
			return "new_change"
		}
		before = nudges
		select {
		case <-news:
		case <-expired:
			return "reconnect"
		case <-r.Context().Done():
			return ""
		case <-s.bg.ctx.Done():
			return ""
		}
	}
}
