package subscription_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/workfs/workfs/backends/sim/simtest"
)

func TestValidationRequests(t *testing.T) {
	f := newFixture(t)
	f.subscribe(f.alice, "me/messages", map[string]any{"notificationUrl": f.to.url + "/hook?key=v"})
	asked := f.to.asked()
	if len(asked) != 1 {
		t.Fatalf("%d validation requests, want 1", len(asked))
	}
	r := asked[0]
	token := r.URL.Query().Get("validationToken")
	if r.Method != "POST" || r.URL.Query().Get("key") != "v" || r.Header.Get("Content-Type") != "text/plain; charset=utf-8" {
		t.Errorf("%s %s %v", r.Method, r.URL, r.Header)
	}
	if !strings.Contains(token, ": ") || !strings.Contains(token, "Request-Id") || strings.Contains(r.URL.RawQuery, " ") {
		t.Errorf("token %q in %q", token, r.URL.RawQuery)
	}
	// Two requests, also for the same address.
	f.subscribe(f.alice, "me/events", map[string]any{"lifecycleNotificationUrl": f.to.url + "/hook"})
	if asked := f.to.asked(); len(asked) != 2 || asked[0].URL.Query().Get("validationToken") == asked[1].URL.Query().Get("validationToken") {
		t.Errorf("with a lifecycleNotificationUrl: %d requests", len(asked))
	}
}

func TestValidationFailures(t *testing.T) {
	f := newFixture(t)
	text := func(rw http.ResponseWriter, status int, kind, body string) bool {
		rw.Header().Set("Content-Type", kind)
		rw.WriteHeader(status)
		_, _ = io.WriteString(rw, body)
		return true
	}
	token := func(r *http.Request) string { return r.URL.Query().Get("validationToken") }
	for name, c := range map[string]struct {
		answer func(http.ResponseWriter, *http.Request) bool
		want   string
	}{
		"status 202": {func(rw http.ResponseWriter, r *http.Request) bool { return text(rw, 202, "text/plain", token(r)) }, "HTTP status code is 'Accepted'."},
		"status 403": {func(rw http.ResponseWriter, r *http.Request) bool { return text(rw, 403, "text/plain", token(r)) }, "HTTP status code is 'Forbidden'."},
		"redirect": {func(rw http.ResponseWriter, r *http.Request) bool {
			http.Redirect(rw, r, f.to.url+"/other?"+r.URL.RawQuery, http.StatusTemporaryRedirect)
			return true
		}, "HTTP status code is 'TemporaryRedirect'."},
		"JSON": {func(rw http.ResponseWriter, r *http.Request) bool {
			return text(rw, 200, "application/json", token(r))
		}, "content type text/plain"},
		"not decoded": {func(rw http.ResponseWriter, r *http.Request) bool {
			return text(rw, 200, "text/plain", strings.TrimPrefix(r.URL.RawQuery, "validationToken="))
		}, "exactly match"},
		"line end": {func(rw http.ResponseWriter, r *http.Request) bool { return text(rw, 200, "text/plain", token(r)+"\n") }, "exactly match"},
		"silence": {func(_ http.ResponseWriter, r *http.Request) bool {
			<-r.Context().Done()
			return true
		}, "Subscription validation request timed out."},
		"broken connection": {func(http.ResponseWriter, *http.Request) bool { panic(http.ErrAbortHandler) }, "must respond with 200 OK"},
	} {
		f.to.handle(c.answer)
		f.Set("subscriptions.second_ms", map[bool]int{true: 20, false: 1000}[name == "silence"])
		r := f.alice.Do("POST", "/subscriptions", f.draft("me/messages", nil))
		if r.Status != 400 || r.Code() != "ValidationError" || !strings.Contains(string(r.Body), c.want) {
			t.Errorf("%s: %d %s, want 400 with %q", name, r.Status, r.Body, c.want)
		}
	}
	if all := f.subs.All(); len(all) != 0 {
		t.Errorf("%d subscriptions after failed validations", len(all))
	}
	// Only the second address fails.
	f.to.handle(func(rw http.ResponseWriter, r *http.Request) bool {
		return r.URL.Path == "/life" && text(rw, 404, "text/plain", "")
	})
	if r := f.alice.Do("POST", "/subscriptions", f.draft("me/messages", map[string]any{"lifecycleNotificationUrl": f.to.url + "/life"})); r.Status != 400 {
		t.Errorf("lifecycle address: %d %s", r.Status, r.Body)
	}
	// Five seconds are in time.
	f.Set("subscriptions.second_ms", 100)
	f.to.handle(func(http.ResponseWriter, *http.Request) bool {
		time.Sleep(500 * time.Millisecond)
		return false
	})
	f.subscribe(f.alice, "me/messages", nil)
}

func TestRefusedSubscriptions(t *testing.T) {
	f := newFixture(t)
	team := f.Company.Group("engineering").ID
	users := "users/" + f.Company.Alice().ID
	narrow := f.As(f.Company.Alice(), "Mail.ReadBasic", "Files.Read.All", "User.Read")
	day := func(n int) string { return f.in(time.Duration(n) * 24 * time.Hour) }
	for name, c := range map[string]struct {
		client   *simtest.Client
		resource string
		with     map[string]any
		status   int
		code     string
		want     string
	}{
		"plain http":              {f.alice, "me/messages", map[string]any{"notificationUrl": "http://example.com/hook"}, 400, "ValidationError", "https"},
		"no address":              {f.alice, "me/messages", map[string]any{"notificationUrl": ""}, 400, "ValidationError", ""},
		"lifecycle http":          {f.alice, "me/messages", map[string]any{"lifecycleNotificationUrl": "http://example.com/"}, 400, "ValidationError", "https"},
		"no resource":             {f.alice, "me/messages", map[string]any{"resource": nil}, 400, "ValidationError", "'resource' is missing"},
		"unknown resource":        {f.alice, "me/fridges", nil, 400, "ValidationError", "not supported"},
		"unknown property":        {f.alice, "me/messages", map[string]any{"vapidPublicKey": "x"}, 400, "ValidationError", "vapidPublicKey"},
		"bad changeType":          {f.alice, "me/messages", map[string]any{"changeType": "created,moved"}, 400, "ValidationError", "changeType"},
		"created on a drive":      {f.alice, "me/drive/root", nil, 400, "ValidationError", "changeType"},
		"created user":            {f.alice, "users", nil, 400, "ValidationError", "changeType"},
		"long clientState":        {f.alice, "me/messages", map[string]any{"clientState": strings.Repeat("x", 129)}, 400, "ValidationError", "128"},
		"no time":                 {f.alice, "me/messages", map[string]any{"expirationDateTime": "soon"}, 400, "ValidationError", "soon"},
		"past":                    {f.alice, "me/messages", map[string]any{"expirationDateTime": day(-1)}, 400, "ValidationError", "future"},
		"mail for 8 days":         {f.alice, "me/messages", map[string]any{"expirationDateTime": day(8)}, 400, "ValidationError", "can only be 10080 minutes"},
		"teams for 4 days":        {f.alice, "teams/" + team, map[string]any{"expirationDateTime": day(4), "lifecycleNotificationUrl": f.to.url}, 400, "ValidationError", "can only be 4320 minutes"},
		"teams without lifecycle": {f.app, "teams/getAllMessages", map[string]any{"expirationDateTime": f.in(61 * time.Minute)}, 400, "ValidationError", "lifecycleNotificationUrl is a required property"},
		"/me as an application":   {f.app, "me/messages", nil, 400, "BadRequest", "delegated"},
		"other's mailbox":         {f.bob, users + "/messages", nil, 403, "ExtensionError", "Status Code: Forbidden"},
		"tenant, delegated":       {f.alice, "teams/getAllMessages", nil, 403, "ExtensionError", "Status Code: Forbidden"},
		"without the permission":  {narrow, "me/events", nil, 403, "ExtensionError", "Status Code: Forbidden"},
		"drive, read only":        {narrow, "me/drive/root", map[string]any{"changeType": "updated"}, 403, "ExtensionError", "Status Code: Forbidden"},
		"unknown user":            {f.app, "users/nobody@contoso.com/messages", nil, 404, "ExtensionError", "nobody"},
		"unknown folder":          {f.alice, "me/mailFolders('nosuch')/messages", nil, 404, "ExtensionError", "folder"},
		"unknown channel":         {f.alice, "teams/" + team + "/channels/19:none/messages", nil, 404, "ExtensionError", ""},
		"not in the team":         {f.bob, "teams/" + team + "/channels", nil, 403, "ExtensionError", "not a member"},
		"bad filter":              {f.alice, "me/messages?$filter=fridge eq 1", nil, 400, "ValidationError", "fridge"},
	} {
		r := c.client.Do("POST", "/subscriptions", f.draft(c.resource, c.with))
		if r.Status != c.status || r.Code() != c.code || !strings.Contains(string(r.Body), c.want) {
			t.Errorf("%s: %d %s, want %d %s with %q", name, r.Status, r.Body, c.status, c.code, c.want)
		}
	}
	if n := len(f.to.asked()); n != 0 {
		t.Errorf("%d validations of refused subscriptions", n)
	}
	f.Set("subscriptions.loopback_http", false)
	if r := f.alice.Do("POST", "/subscriptions", f.draft("me/messages", nil)); r.Status != 400 {
		t.Errorf("http on loopback without the allowance: %d", r.Status)
	}
}

func TestLifetimes(t *testing.T) {
	f := newFixture(t)
	lifecycle := f.to.url + "/life"
	for _, c := range []struct {
		resource, change string
		minutes          int
	}{
		{"me/messages", "created", 10080}, {"me/drive/root", "updated", 42300}, {"users", "updated", 41760}, {"me/chats/getAllMessages", "created", 4320},
	} {
		d := f.draft(c.resource, map[string]any{"changeType": c.change, "lifecycleNotificationUrl": lifecycle})
		d["expirationDateTime"] = f.in(time.Duration(c.minutes)*time.Minute + 10*time.Second)
		if r := f.alice.Do("POST", "/subscriptions", d); r.Status != 400 {
			t.Errorf("%s: more than %d minutes: %d", c.resource, c.minutes, r.Status)
		}
		d["expirationDateTime"] = f.in(time.Duration(c.minutes)*time.Minute - 10*time.Second)
		if r := f.alice.Do("POST", "/subscriptions", d); r.Status != 201 {
			t.Errorf("%s: %d minutes: %d %s", c.resource, c.minutes, r.Status, r.Body)
		}
	}
	// Less than 45 minutes become 45.
	r := f.alice.Do("POST", "/subscriptions", f.draft("me/events", map[string]any{"expirationDateTime": f.in(time.Minute)}))
	end, err := time.Parse(time.RFC3339Nano, r.Link("expirationDateTime"))
	if left := end.Sub(f.World.Clock.Now()); err != nil || left > 45*time.Minute || left < 44*time.Minute {
		t.Errorf("raised to %v from now: %v %s", left, err, r.Body)
	}
	// It ends silently.
	f.World.Clock.Advance(46 * time.Minute)
	if r := f.alice.Do("GET", "/subscriptions/"+r.Link("id"), nil); r.Status != 404 {
		t.Errorf("after its end: %d", r.Status)
	}
	f.newEvent("late")
	if got := f.to.got(); len(got) != 0 {
		t.Errorf("notifications for an expired subscription: %v", got)
	}
}

func TestDuplicatesAndQuotas(t *testing.T) {
	f := newFixture(t)
	alice := f.Company.Alice().ID
	first := f.subscribe(f.alice, "me/messages", nil)
	again := f.alice.Do("POST", "/subscriptions", f.draft("/users/"+alice+"/messages", map[string]any{"changeType": "deleted,updated,created"}))
	if want := "Subscription Id " + first + " already exists for the requested combination"; again.Status != 409 || !strings.Contains(string(again.Body), want) {
		t.Errorf("duplicate: %d %s", again.Status, again.Body)
	}
	// Another combination, another creator.
	f.subscribe(f.alice, "me/messages", map[string]any{"changeType": "created"})
	f.subscribe(f.bob, "me/messages", nil)
	f.subscribe(f.app, "users/"+alice+"/messages", nil)
	f.Set("subscriptions.max_per_mailbox", 3)
	full := f.alice.Do("POST", "/subscriptions", f.draft("me/mailFolders/inbox/messages", nil))
	if full.Status != 403 || !strings.Contains(string(full.Body), "Maximum number of subscriptions has been reached") {
		t.Errorf("fourth of a mailbox: %d %s", full.Status, full.Body)
	}
	chat := f.alice.Get("/me/chats").Items()[0]["id"].(string)
	f.subscribe(f.alice, "chats/"+chat+"/messages", nil)
	if r := f.alice.Do("POST", "/subscriptions", f.draft("chats/"+chat+"/messages", map[string]any{"changeType": "created"})); r.Status != 403 {
		t.Errorf("second of a chat: %d %s", r.Status, r.Body)
	}
	f.Set("subscriptions.max_per_user_chats", 2)
	for i, change := range []string{"created", "updated", "deleted"} {
		r := f.alice.Do("POST", "/subscriptions", f.draft("me/chats/getAllMessages", map[string]any{"changeType": change}))
		if want := []int{201, 201, 403}[i]; r.Status != want {
			t.Errorf("user's chats, %d: %d %s", i, r.Status, r.Body)
		}
	}
	f.Set("subscriptions.max_directory", 1)
	f.subscribe(f.alice, "users", map[string]any{"changeType": "updated"})
	if r := f.alice.Do("POST", "/subscriptions", f.draft("groups", map[string]any{"changeType": "updated"})); r.Status != 403 {
		t.Errorf("second of the directory: %d %s", r.Status, r.Body)
	}
	// A deleted one makes room.
	if r := f.alice.Do("DELETE", "/subscriptions/"+first, nil); r.Status != 204 {
		t.Fatalf("deleting: %d %s", r.Status, r.Body)
	}
	f.Set("subscriptions.max_per_mailbox", 1000)
	f.subscribe(f.alice, "me/messages", nil)
}
