package signin

import (
	"reflect"
	"runtime"
	"slices"
	"testing"
)

func TestBrowsers(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("SKIPPED: the commands are those of Linux")
	}
	const a = "https://login.example/?a=1&b=2"
	for name, c := range map[string]struct {
		env  map[string]string
		wsl  bool
		want [][]string
	}{
		"none":    {nil, false, nil},
		"ssh":     {map[string]string{"SSH_CONNECTION": "x"}, false, nil},
		"x11":     {map[string]string{"DISPLAY": ":0"}, false, [][]string{{"xdg-open", a}, {"x-www-browser", a}}},
		"wayland": {map[string]string{"WAYLAND_DISPLAY": "wayland-0"}, false, [][]string{{"xdg-open", a}, {"x-www-browser", a}}},
		"chosen":  {map[string]string{"BROWSER": "firefox -P work:lynx %s -accept"}, false, [][]string{{"firefox", "-P", "work", a}, {"lynx", a, "-accept"}}},
		"wsl":     {nil, true, [][]string{{"wslview", a}, {"rundll32.exe", "url.dll,FileProtocolHandler", a}}},
	} {
		got := browsers(a, func(k string) string { return c.env[k] }, func(string) bool { return c.wsl })
		if !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestWithoutSecrets(t *testing.T) {
	t.Parallel()
	got := withoutSecrets([]string{"PATH=/bin", "MICROSOFT_CLIENT_SECRET=s", "WORKFS_CONNECTION_A_REFRESH_TOKEN=s", "AZURE_CLIENT_SECRET=s", "BOX_CLIENT_SECRET=s", "HOME=/h"})
	if want := []string{"PATH=/bin", "HOME=/h"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
