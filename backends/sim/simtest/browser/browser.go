// Package browser is a web browser without a screen and without scripts, for tests of sign-in pages: it keeps cookies,
// follows redirects and sends the forms of a page as a person does who fills in fields and presses a button.
package browser

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"

	"golang.org/x/net/html"
)

// Browser keeps cookies from page to page. It is for one goroutine.
type Browser struct {
	client *http.Client
	within string
}

// New makes a browser without cookies. It sends through rt (nil is http.DefaultTransport). Redirects to other hosts than
// within, a host:port, are not followed but shown as a page with Left set; "" follows all.
func New(rt http.RoundTripper, within string) *Browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		panic(err) // cannot happen without options
	}
	b := &Browser{within: within}
	b.client = &http.Client{Transport: rt, Jar: jar, CheckRedirect: func(r *http.Request, via []*http.Request) error {
		if b.within != "" && r.URL.Host != b.within {
			return http.ErrUseLastResponse
		}
		if len(via) > 20 {
			return errors.New("too many redirects")
		}
		return nil
	}}
	return b
}

// Page is what the browser shows.
type Page struct {
	URL    *url.URL
	Status int
	Left   *url.URL // where a redirect to another host leads, nil without
	Root   *html.Node

	browser *Browser
}

// Open goes to an address.
func (b *Browser) Open(ctx context.Context, address string) (*Page, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	return b.load(req)
}

func (b *Browser) load(req *http.Request) (*Page, error) {
	resp, err := b.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	p := &Page{URL: resp.Request.URL, Status: resp.StatusCode, browser: b}
	if to, err := resp.Location(); err == nil {
		p.Left = to
	}
	p.Root, err = html.Parse(resp.Body)
	return p, err
}

// Press sends the form that the button with an id is in. fields are what is typed into or ticked of its other controls, by
// name; what is not mentioned keeps its value, and check boxes stay as they are.
func (p *Page) Press(ctx context.Context, button string, fields map[string]string) (*Page, error) {
	b := p.find(func(n *html.Node) bool { return attr(n, "id") == button })
	if b == nil {
		return nil, fmt.Errorf("%s has no button %q", p.Title(), button)
	}
	form := b
	for form != nil && form.Data != "form" {
		form = form.Parent
	}
	if form == nil {
		return nil, fmt.Errorf("button %q is in no form", button)
	}
	values := url.Values{}
	left := map[string]bool{}
	for name := range fields {
		left[name] = true
	}
	each(form, func(n *html.Node) {
		name, kind := attr(n, "name"), attr(n, "type")
		typed, ok := fields[name]
		switch {
		case name == "" || n.Data != "input" && n.Data != "button":
		case n == b, ok:
			value := attr(n, "value")
			if ok {
				value = typed
			}
			values.Set(name, value)
			delete(left, name)
		case n.Data == "button" || kind == "submit" || kind == "checkbox" && !has(n, "checked"):
		default:
			values.Set(name, attr(n, "value"))
		}
	})
	for name := range left {
		return nil, fmt.Errorf("the form of button %q has no field %q", button, name)
	}
	action, err := p.URL.Parse(attr(form, "action"))
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, action.String(), strings.NewReader(values.Encode()))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return p.browser.load(req)
}

// Title gives the title of the page.
func (p *Page) Title() string {
	n := p.find(func(n *html.Node) bool { return n.Data == "title" })
	return content(n)
}

// Text gives the text of the element with an id, "" without.
func (p *Page) Text(id string) string {
	return content(p.find(func(n *html.Node) bool { return attr(n, "id") == id }))
}

// Value gives an attribute of the element with an id, "" without.
func (p *Page) Value(id, name string) string {
	if n := p.find(func(n *html.Node) bool { return attr(n, "id") == id }); n != nil {
		return attr(n, name)
	}
	return ""
}

// Values gives an attribute of all elements that have it, in order.
func (p *Page) Values(name string) (list []string) {
	each(p.Root, func(n *html.Node) {
		if has(n, name) {
			list = append(list, attr(n, name))
		}
	})
	return list
}

func (p *Page) find(wanted func(*html.Node) bool) (found *html.Node) {
	each(p.Root, func(n *html.Node) {
		if found == nil && wanted(n) {
			found = n
		}
	})
	return found
}

func each(root *html.Node, do func(*html.Node)) {
	for n := range root.Descendants() {
		if n.Type == html.ElementNode {
			do(n)
		}
	}
}

func content(n *html.Node) string {
	if n == nil {
		return ""
	}
	var b strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			b.WriteString(d.Data)
		}
	}
	return strings.TrimSpace(b.String())
}

func attr(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

func has(n *html.Node, name string) bool {
	for _, a := range n.Attr {
		if a.Key == name {
			return true
		}
	}
	return false
}
