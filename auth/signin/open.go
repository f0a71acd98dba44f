package signin

import (
	"errors"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"syscall"
)

// Open opens an address in the person's browser: by $BROWSER, a list of commands in which %s stands for the address, else by
// what the desktop has for it. It does not wait for the browser. An error means that there is none to be seen here.
//
// github.com/pkg/browser does not know $BROWSER, and lets the browser write into the terminal.
func Open(address string) error {
	var err error
	for _, argv := range browsers(address, os.Getenv, exists) {
		if err = start(argv); err == nil {
			return nil
		}
	}
	if err == nil {
		err = errors.New("there is no browser here")
	}
	return err
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}

// browsers lists the commands to try, best first.
func browsers(address string, getenv func(string) string, exists func(string) bool) [][]string {
	var list [][]string
	for _, command := range strings.Split(getenv("BROWSER"), ":") {
		argv := strings.Fields(command)
		if len(argv) == 0 {
			continue
		}
		placed := false
		for i, a := range argv {
			if strings.Contains(a, "%s") {
				argv[i], placed = strings.ReplaceAll(a, "%s", address), true
			}
		}
		if !placed {
			argv = append(argv, address)
		}
		list = append(list, argv)
	}
	switch {
	case runtime.GOOS == "darwin":
		return append(list, []string{"open", address})
	case exists("/proc/sys/fs/binfmt_misc/WSLInterop"), exists("/proc/sys/fs/binfmt_misc/WSLInterop-late"):
		// wslview is of package wslu. rundll32 opens addresses without a shell that would take their & for its own.
		list = append(list, []string{"wslview", address}, []string{"rundll32.exe", "url.dll,FileProtocolHandler", address})
	}
	// Without a display these would start a browser for the terminal, which belongs to the sign-in.
	if getenv("DISPLAY") != "" || getenv("WAYLAND_DISPLAY") != "" {
		list = append(list, []string{"xdg-open", address}, []string{"x-www-browser", address})
	}
	return list
}

// start starts a command that outlives this one and says nothing here.
func start(argv []string) error {
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Env = withoutSecrets(os.Environ())
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // Ctrl-C ends the sign-in, not the browser
	if err := cmd.Start(); err != nil {
		return err
	}
	go func() { _ = cmd.Wait() }() // leaves no zombie; its code says nothing, browsers hand over to others
	return nil
}

// withoutSecrets leaves out the variables that a sign-in's secrets may be in.
func withoutSecrets(environ []string) []string {
	return slices.DeleteFunc(slices.Clone(environ), func(v string) bool {
		return slices.ContainsFunc([]string{"WORKFS_", "MICROSOFT_", "AZURE_", "BOX_"}, func(p string) bool { return strings.HasPrefix(v, p) })
	})
}
