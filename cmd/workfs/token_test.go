package main

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/workfs/workfs/backends/sim"
)

// bearer asks a service as the bearer of a token.
func bearer(t *testing.T, url, token string) (status int, doc map[string]any) {
	t.Helper()
	req, err := http.NewRequest("GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	_ = json.NewDecoder(res.Body).Decode(&doc) // a refusal need not be JSON
	return res.StatusCode, doc
}

func TestToken(t *testing.T) {
	e := newEnv(t, sim.Options{})
	r := e.sim.Ready()
	stdout, stderr, code := e.workfs("token", "-c", "contoso")
	token, ended := strings.CutSuffix(stdout, "\n")
	if code != 0 || !ended || strings.Contains(token, "\n") || stderr != "" {
		t.Fatalf("exit %d: %q, %q", code, stdout, stderr)
	}
	if status, me := bearer(t, r.Graph+"/v1.0/me", token); status != 200 || me["mail"] != "alice@contoso.com" {
		t.Errorf("the token is of %v (status %d)", me["mail"], status)
	}
	// It is kept: the next call gives the same without a request.
	e.resetRequests()
	again, _, _ := e.workfs("token", "-c", "contoso", "--json")
	var printed printedToken
	if err := json.Unmarshal([]byte(again), &printed); err != nil || printed.AccessToken != token || printed.Connection != "contoso" || printed.TokenType != "Bearer" {
		t.Errorf("%s %v", again, err)
	}
	if left := time.Until(printed.ExpiresAt); left <= 0 || left > 2*time.Hour || time.Duration(printed.ExpiresIn)*time.Second > left+2*time.Second {
		t.Errorf("it lasts until %v, %d s", printed.ExpiresAt, printed.ExpiresIn)
	}
	if n := len(e.sim.World().Stats.Snapshot().Requests); n > 0 {
		t.Errorf("%d requests for a token that is there", n)
	}
	for _, bad := range []struct {
		code int
		says string
		args []string
	}{
		{codeUsage, "-c box or -c contoso", nil},
		{codeUsage, `no connection "other"`, []string{"-c", "other"}},
		{codeUsage, "only an application's sign-in to Box", []string{"-c", "contoso", "--as-user", "bob@contoso.com"}},
		{codeUsage, "wrong number of arguments", []string{"contoso"}},
	} {
		if stdout, stderr, code := e.workfs(append([]string{"token"}, bad.args...)...); code != bad.code || stdout != "" || !strings.Contains(stderr, bad.says) {
			t.Errorf("%v: exit %d\n%s%s", bad.args, code, stdout, stderr)
		}
	}
	// A sign-in that is dead, and none.
	path := filepath.Join(e.etc, "credentials", "contoso.json")
	if err := os.WriteFile(path, []byte(`{"client_secret":"`+r.ClientSecret+`","refresh_token":"dead"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if stdout, stderr, code := e.workfs("token", "-c", "contoso"); code != codeRefused || stdout != "" || strings.Contains(stderr, r.ClientSecret) {
		t.Errorf("dead: exit %d\n%s%s", code, stdout, stderr)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if stdout, stderr, code := e.workfs("token", "-c", "contoso"); code != codeNotSignedIn || stdout != "" {
		t.Errorf("signed out: exit %d\n%s%s", code, stdout, stderr)
	}
}

// TestTokenAsUser gets tokens of users by the application's own sign-in.
func TestTokenAsUser(t *testing.T) {
	e := newEnv(t, sim.Options{})
	e.config = filepath.Join(e.etc, "config-admin.toml")
	r := e.sim.Ready()
	names := map[string]string{}
	for _, args := range [][]string{{}, {"--as-user", r.Users[1].Mail}, {"--as-user", r.Users[2].BoxID}, {}} {
		stdout, stderr, code := e.workfs(append([]string{"token", "-c", "box"}, args...)...)
		if code != 0 {
			t.Fatalf("%v: exit %d: %s", args, code, stderr)
		}
		status, me := bearer(t, r.BoxAPI+"/2.0/users/me", strings.TrimSpace(stdout))
		if status != 200 {
			t.Fatalf("%v: status %d", args, status)
		}
		login, _ := me["login"].(string)
		if len(args) == 0 {
			if names[""] != "" && names[""] != login {
				t.Errorf("the application is %s after a token of a user, before %s", login, names[""])
			}
			names[""] = login
			continue
		}
		if want := map[string]string{r.Users[1].Mail: r.Users[1].Mail, r.Users[2].BoxID: r.Users[2].Mail}[args[1]]; login != want {
			t.Errorf("%v: the token is of %s, not of %s", args, login, want)
		}
	}
	if names[""] == r.Users[1].Mail || names[""] == r.Users[2].Mail {
		t.Errorf("the application is %s", names[""])
	}
	if _, stderr, code := e.workfs("token", "-c", "box", "--as-user", "nobody@contoso.com"); code != codeNotFound || !strings.Contains(stderr, "no user with this login") {
		t.Errorf("exit %d: %s", code, stderr)
	}
}
