package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/workfs/workfs/backends/sim"
)

// boxOAuth is an env whose configuration is a person's sign-in to Box, and a function that reads its refresh token.
func boxOAuth(t *testing.T) (e *env, stored func() string) {
	t.Helper()
	e = newEnv(t, sim.Options{})
	e.config = filepath.Join(e.etc, "config-box-oauth.toml")
	path := filepath.Join(e.etc, "credentials", "box-oauth.json")
	return e, func() string {
		t.Helper()
		var c struct {
			RefreshToken string `json:"refresh_token"`
		}
		data, err := os.ReadFile(path)
		if err == nil {
			err = json.Unmarshal(data, &c)
		}
		if err != nil {
			t.Fatal(err)
		}
		return c.RefreshToken
	}
}

// TestKilledDaemonKeepsSignIn kills a mount, with its whole process group, while Box has taken its single-use refresh token and
// has not answered yet.
func TestKilledDaemonKeepsSignIn(t *testing.T) {
	e, stored := boxOAuth(t)
	before := stored()
	if err := e.sim.World().Switches.Set("box.refresh_delay_ms", 3000); err != nil {
		t.Fatal(err)
	}
	cmd := e.command("mount", e.point)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(patience)
	for asked := 0; asked == 0; time.Sleep(5 * time.Millisecond) {
		for route, n := range e.sim.World().Stats.Snapshot().Requests {
			if strings.Contains(route, "/oauth2/token") {
				asked += n
			}
		}
		if time.Now().After(deadline) {
			t.Fatal("Box was not asked")
		}
	}
	if err := syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err == nil {
		t.Fatal("the mount has ended well")
	}
	if stored() != before {
		t.Fatal("the answer came before the mount was killed: the test shows nothing")
	}
	if err := e.sim.World().Switches.Set("box.refresh_delay_ms", 0); err != nil {
		t.Fatal(err)
	}
	for stored() == before {
		if time.Now().After(deadline) {
			t.Fatal("the new refresh token is lost")
		}
		time.Sleep(10 * time.Millisecond)
	}
	m := e.mount()
	if _, err := os.ReadDir(m.path("box", "files")); err != nil {
		t.Error(err)
	}
	m.umount()
}

// TestRenewCredentialsTells runs the helper as a curious person may.
func TestRenewCredentialsTells(t *testing.T) {
	e, _ := boxOAuth(t)
	if stdout, stderr, code := e.workfs(renewCredentials); code != codeOther || stdout != "" || !strings.Contains(stderr, "for workfs itself") {
		t.Errorf("exit %d\n%s%s", code, stdout, stderr)
	}
	if stdout, _, _ := e.workfs("--help"); strings.Contains(stdout, renewCredentials) {
		t.Error("it is listed")
	}
}
