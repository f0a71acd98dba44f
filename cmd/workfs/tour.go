package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"
)

// tour is a walk through the demo in commands for a shell.
type tour struct {
	mountpoint string
	prelude    string // makes workfs a command that knows the demo's configuration
	stops      []stop
}

type stop struct {
	title, command string
	// soon says that the command shows something that is about to happen: it is repeated until it prints something.
	soon bool
}

const (
	// soonPatience bounds the wait for what is about to happen, soonPause is the time between two looks.
	soonPatience = time.Minute
	soonPause    = 100 * time.Millisecond
)

// tourOf gives commands that work on any state of the demo: they find what they show, in one of the formats listed.
func tourOf(mountpoint, configFile, format string) (tour, error) {
	self, err := os.Executable()
	if err != nil {
		return tour{}, err
	}
	const (
		mail  = "contoso/outlook/alice@contoso.com/mail"
		inbox = mail + "/Inbox"
		month = inbox + "/$(ls " + inbox + " | tail -n 1)"
		hello = `{"message": {"subject": "Hello from the tour", "body": {"contentType": "text", "content": "Here at once."}, ` +
			`"toRecipients": [{"emailAddress": {"address": "alice@contoso.com"}}]}}`
	)
	return tour{mountpoint, fmt.Sprintf(`workfs() { %s --config %s "$@"; }`, quote(self), quote(configFile)), []stop{
		{title: "Two connections, each a directory", command: "ls"},
		{title: "A mailbox: its folders, then its months", command: "ls " + mail + " && ls " + inbox + " | tail -n 3"},
		{title: "This month's mail, with the times and sizes that backup tools need", command: "ls -l " + month + " | head -n 6"},
		{title: "A message", command: "cat \"$(find " + inbox + " -name '*." + format + "' | sort | tail -n 1)\" | head -n 24"},
		{title: "Searching mail is searching files", command: "grep -rlis budget " + mail + " --include='*." + format + "' | head -n 3"},
		{title: "The calendar", command: "find contoso/outlook/alice@contoso.com/calendar -name '*.ics' | sort | tail -n 3"},
		{title: "Teams", command: "ls contoso/teams/channels && ls contoso/teams/channels/Engineering"},
		{title: "A channel's newest posts", command: "find contoso/teams/channels/Engineering/General/20* -name '*." + format + "' | sort | tail -n 3"},
		{title: "The directory", command: "head -n 4 contoso/directory/users.csv"},
		{title: "Box, byte for byte", command: "find box/files -maxdepth 2 | sort | head -n 8"},
		{title: "Tools that know nothing of all this", command: "tar cf - -C " + mail + " Inbox 2>/dev/null | wc -c"},
		{title: "What the sign-in cannot see", command: "head -n 12 .workfs/coverage.md"},
		{title: "What was looked at is live: the service tells of changes", command: "workfs info " + month + " | grep -E '^(live +yes|next renewal)'", soon: true},
		{title: "So a mail to oneself,", command: "workfs api POST /me/sendMail -c contoso --data '" + hello + "' && echo sent"},
		{title: "is there at once,", command: "find " + inbox + " -name '*Hello-from-the-tour*." + format + "'", soon: true},
		{title: "and what changed is written down", command: "workfs activity --since 1h " + inbox + " | grep Hello-from-the-tour", soon: true},
	}}, nil
}

// quote makes one word of a text for a shell.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

func (t tour) print(out io.Writer) {
	fmt.Fprintf(out, "A simulated company is mounted on %s. A tour:\n\n  cd %s\n  %s\n", t.mountpoint, quote(t.mountpoint), t.prelude)
	for _, s := range t.stops {
		fmt.Fprintf(out, "\n  # %s\n  %s\n", s.title, s.command)
	}
	fmt.Fprintf(out, "\nCtrl-C unmounts and removes everything.\n")
}

// run runs the stops in the mountpoint. A stop that fails or prints nothing fails the tour.
func (t tour) run(ctx context.Context, out io.Writer) error {
	for _, s := range t.stops {
		fmt.Fprintf(out, "\n# %s\n$ %s\n", s.title, s.command)
		printed, err := t.stop(ctx, s, out)
		if err != nil {
			return fmt.Errorf("the tour's %q: %w", s.command, err)
		}
		if strings.TrimSpace(printed) == "" {
			return fmt.Errorf("the tour's %q printed nothing", s.command)
		}
	}
	return nil
}

// stop runs a stop, and gives what it printed.
func (t tour) stop(ctx context.Context, s stop, out io.Writer) (string, error) {
	for deadline := time.Now().Add(soonPatience); ; {
		var printed strings.Builder
		cmd := exec.CommandContext(ctx, "sh", "-c", t.prelude+"\n"+s.command)
		cmd.Dir = t.mountpoint
		cmd.Stdout, cmd.Stderr = io.MultiWriter(out, &printed), out
		err := cmd.Run()
		if !s.soon || printed.Len() > 0 || ctx.Err() != nil || time.Now().After(deadline) {
			return printed.String(), err
		}
		select {
		case <-ctx.Done():
		case <-time.After(soonPause):
		}
	}
}
