package entra

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/workfs/workfs/backends/sim/company"
	"github.com/workfs/workfs/backends/sim/simtest/browser"
)

// TestFormsAreBound sees that a form works in the browser only that it was shown in, once, and not for ever.
func TestFormsAreBound(t *testing.T) {
	f := newFixture(t)
	alice, mallory := f.person(), f.person()
	page := alice.authorize(f.ask(f.s.Public))
	mallory.authorize(f.ask(f.s.Public))
	form := url.Values{"flowToken": {formToken(page)}, "loginfmt": {"alice@contoso.com"}, "passwd": {company.Password}}
	resp, err := http.PostForm(f.srv.URL+"/common/login", form) //nolint:noctx // a test
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != 400 {
		t.Errorf("without the browser's cookie: %d", resp.StatusCode)
	}
	alice.arrived(alice.signIn(page, "alice@contoso.com"))
	again := alice.press(page, "idSIButton9", "loginfmt", "alice@contoso.com", "passwd", company.Password)
	if again.Value("exceptionMessageContainer", "data-aadsts") != "165000" {
		t.Errorf("a form sent twice: %q", again.Title())
	}
	late := mallory.authorize(f.ask(f.s.Public))
	f.w.Clock.Advance(flowLifetime + time.Second)
	if page := mallory.pressAs(late, "bob@contoso.com", company.Password); page.Value("exceptionMessageContainer", "data-aadsts") != "50089" {
		t.Errorf("an old form: %q", page.Title())
	}
}

func formToken(p *browser.Page) string {
	for _, v := range p.Values("value") {
		if len(v) > 40 {
			return v
		}
	}
	return ""
}

// TestResponseModes also sees the slash that an address without a path gets.
func TestResponseModes(t *testing.T) {
	f := newFixture(t)
	p := f.person()
	page := p.signInTo(f.ask(f.s.Public, "response_mode", "fragment", "redirect_uri", "http://localhost:5000"), "alice@contoso.com")
	if page.Left == nil || !strings.HasPrefix(page.Left.String(), "http://localhost:5000/#code=") {
		t.Errorf("fragment: %v", page.Left)
	}
	page = p.authorize(f.ask(f.s.Public, "response_mode", "form_post"))
	if names := page.Values("name"); page.Left != nil || !slices.Contains(names, "code") || !slices.Contains(page.Values("action"), callback) || !slices.Contains(page.Values("value"), "a b&c") {
		t.Errorf("form_post: %v", names)
	}
	if page = p.authorize(f.ask(f.s.Public, "redirect_uri", f.srv.URL+nativeClient)); page.Status != 200 || page.URL.Path != nativeClient || page.URL.Query().Get("code") == "" {
		t.Errorf("native client: %v", page.URL)
	}
}
