package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/backends/all"
	"github.com/workfs/workfs/cmd/workfs/internal/config"
)

// subscriptions are those of one connection, at the service itself.
type subscriptions interface {
	list(ctx context.Context) ([]subscriptionInfo, error)
	show(ctx context.Context, id string) (subscriptionInfo, error)
	create(ctx context.Context, d subscriptionDraft) (subscriptionInfo, error)
	renew(ctx context.Context, id string, expires time.Time) (subscriptionInfo, error)
	delete(ctx context.Context, id string) error
}

// subscriptionInfo is a subscription or webhook as the commands print it. Secrets are not among it.
type subscriptionInfo struct {
	ID string `json:"id"`
	// Resource is what it tells of: "/me/events", or "folder:123" at Box.
	Resource         string    `json:"resource"`
	Changes          []string  `json:"changes,omitempty"` // kinds of change, at Box triggers
	Address          string    `json:"address,omitempty"`
	LifecycleAddress string    `json:"lifecycle_address,omitempty"`
	ResourceData     bool      `json:"resource_data,omitempty"` // notifications hold what changed, encrypted
	Application      string    `json:"application,omitempty"`
	Created          time.Time `json:"created,omitzero"`
	Expires          time.Time `json:"expires,omitzero"`
	Mount            string    `json:"mount,omitempty"` // the mount that keeps it, if one on this machine does
}

// subscriptionDraft is what the flags of create say.
type subscriptionDraft struct {
	resource, target string
	changes          []string
	triggers         []string
	address          string
	lifecycle        string
	expires          time.Time
	clientState      string
}

func subscriptionsCommand(g *global) *cobra.Command {
	s := &subscriptionsFlags{global: g}
	cmd := &cobra.Command{
		Use:   "subscriptions",
		Short: "Look at a connection's subscriptions at the service, make and end them",
		Long: "Look at the change notification subscriptions (Box: webhooks) that a connection's application has at the service.\n" +
			"A mount with a public address makes, renews and deletes its own by itself; `workfs status --all` tells how they do.",
		Args: unknownCommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	f := cmd.PersistentFlags()
	connectionFlag(f, &s.connection)
	f.BoolVar(&s.asJSON, "json", false, "print JSON")
	cmd.AddCommand(s.listCommand(), s.showCommand(), s.createCommand(), s.renewCommand(), s.deleteCommand())
	return cmd
}

// subscriptionsFlags are what the commands below `subscriptions` share.
type subscriptionsFlags struct {
	*global
	connection string
	asJSON     bool
}

func (s *subscriptionsFlags) listCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the subscriptions of the application",
		Args:  usage(cobra.NoArgs),
		RunE: s.run(func(cmd *cobra.Command, at subscriptions, _ []string) error {
			list, err := at.list(cmd.Context())
			if err != nil {
				return err
			}
			markOwn(cmd.Context(), list)
			if s.asJSON {
				return printJSON(cmd.OutOrStdout(), list)
			}
			return printSubscriptions(cmd.OutOrStdout(), list)
		}),
	}
}

func (s *subscriptionsFlags) showCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "show ID",
		Short: "Tell all about one",
		Args:  usage(cobra.ExactArgs(1)),
		RunE: s.run(func(cmd *cobra.Command, at subscriptions, args []string) error {
			one, err := at.show(cmd.Context(), args[0])
			return s.printOne(cmd, one, err)
		}),
	}
}

func (s *subscriptionsFlags) createCommand() *cobra.Command {
	var d subscriptionDraft
	var expires, stateFile string
	cmd := &cobra.Command{
		Use:   "create",
		Short: "Make one that delivers to an address of yours",
		Long: "Make a subscription that delivers to an address of yours. Microsoft calls the address before it answers.\n" +
			"What a mount needs it makes by itself.",
		Example: "  workfs subscriptions create -c contoso --resource /me/events --address https://example.org/hook --expires 2d\n" +
			"  workfs subscriptions create -c box --target folder:123 --triggers FILE.UPLOADED,FILE.TRASHED --address https://example.org/hook",
		Args: usage(cobra.NoArgs),
		RunE: s.run(func(cmd *cobra.Command, at subscriptions, _ []string) (err error) {
			if d.expires, err = parseUntil(expires, time.Now()); err != nil {
				return withCode(codeUsage, fmt.Errorf("--expires: %w", err))
			}
			if stateFile != "" {
				state, err := readData(cmd.InOrStdin(), "@"+stateFile)
				if err != nil {
					return err
				}
				d.clientState = strings.TrimSpace(string(state))
			}
			one, err := at.create(cmd.Context(), d)
			return s.printOne(cmd, one, err)
		}),
	}
	f := cmd.Flags()
	f.StringVar(&d.address, "address", "", "https address that gets the notifications")
	f.StringVar(&d.resource, "resource", "", "Microsoft: what to tell of, /me/mailFolders('inbox')/messages")
	f.StringSliceVar(&d.changes, "changes", []string{"created", "updated", "deleted"}, "Microsoft: kinds of change")
	f.StringVar(&expires, "expires", "1h", "Microsoft: so long from now (24h, 2d), or a time")
	f.StringVar(&d.lifecycle, "lifecycle-address", "", "Microsoft: address that hears what becomes of the subscription; Teams wants one beyond 1 h")
	f.StringVar(&stateFile, "client-state-file", "", "Microsoft: file of the secret that each notification repeats; - reads it")
	f.StringVar(&d.target, "target", "", "Box: folder:ID or file:ID")
	f.StringSliceVar(&d.triggers, "triggers", nil, "Box: FILE.UPLOADED,FOLDER.RENAMED,…")
	return cmd
}

func (s *subscriptionsFlags) renewCommand() *cobra.Command {
	var expires string
	cmd := &cobra.Command{
		Use:   "renew ID",
		Short: "Have one of Microsoft live longer",
		Args:  usage(cobra.ExactArgs(1)),
		RunE: s.run(func(cmd *cobra.Command, at subscriptions, args []string) error {
			until, err := parseUntil(expires, time.Now())
			if err != nil {
				return withCode(codeUsage, fmt.Errorf("--expires: %w", err))
			}
			one, err := at.renew(cmd.Context(), args[0], until)
			return s.printOne(cmd, one, err)
		}),
	}
	cmd.Flags().StringVar(&expires, "expires", "1h", "so long from now (24h, 2d), or a time")
	return cmd
}

func (s *subscriptionsFlags) deleteCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "delete ID",
		Short: "End one",
		Args:  usage(cobra.ExactArgs(1)),
		RunE: s.run(func(cmd *cobra.Command, at subscriptions, args []string) error {
			return at.delete(cmd.Context(), args[0])
		}),
	}
}

// run gives a command the subscriptions of its connection, and words what the service refuses.
func (s *subscriptionsFlags) run(do func(cmd *cobra.Command, at subscriptions, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		conn, options, closeLog, err := s.direct(cmd, s.connection)
		if err != nil {
			return err
		}
		defer closeLog()
		at, err := subscriptionsOf(conn, options)
		if err != nil {
			return err
		}
		return apiError(do(cmd, at, args), "")
	}
}

// subscriptionsOf gives the subscriptions of a connection. It makes no request.
func subscriptionsOf(conn backends.Connection, o backends.Options) (subscriptions, error) {
	if conn.Type == "box" {
		client, err := all.API(conn, o)
		return boxSubscriptions{client}, err
	}
	client, err := all.Graph(conn, o)
	return graphSubscriptions{client}, err
}

// markOwn says of subscriptions which running mount keeps them: the one whose public address they deliver to. A mount that does
// not answer has none.
func markOwn(ctx context.Context, list []subscriptionInfo) {
	ctx, cancel := context.WithTimeout(ctx, markPatience)
	defer cancel()
	dir, err := config.RuntimeDir()
	if err != nil {
		return
	}
	running, err := askStatus(ctx, dir, nil)
	if err != nil {
		return
	}
	for i := range list {
		for _, m := range running {
			if m.Webhooks != nil && strings.HasPrefix(list[i].Address, strings.TrimSuffix(m.Webhooks.Address, "/")+"/") {
				list[i].Mount = m.Mountpoint
			}
		}
	}
}

// markPatience bounds the wait for mounts, of which nothing but a remark depends.
const markPatience = 3 * time.Second

func (s *subscriptionsFlags) printOne(cmd *cobra.Command, one subscriptionInfo, err error) error {
	if err != nil {
		return err
	}
	list := []subscriptionInfo{one}
	markOwn(cmd.Context(), list)
	if s.asJSON {
		return printJSON(cmd.OutOrStdout(), list[0])
	}
	return printSubscription(cmd.OutOrStdout(), list[0])
}

// printSubscriptions prints a table, without the columns of which nothing is known.
func printSubscriptions(out io.Writer, list []subscriptionInfo) error {
	if len(list) == 0 {
		_, err := fmt.Fprintln(out, "no subscriptions")
		return err
	}
	rows := [][]string{{"ID", "EXPIRES", "KEPT BY", "CHANGES", "RESOURCE"}}
	known := make([]bool, len(rows[0]))
	for _, one := range list {
		row := []string{one.ID, localTime(one.Expires), one.Mount, strings.Join(one.Changes, ","), one.Resource}
		for i, cell := range row {
			known[i] = known[i] || cell != ""
		}
		rows = append(rows, row)
	}
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	for _, row := range rows {
		var cells []string
		for i, cell := range row {
			if known[i] {
				cells = append(cells, printable(cell))
			}
		}
		fmt.Fprintln(w, strings.Join(cells, "\t"))
	}
	return w.Flush()
}

func printSubscription(out io.Writer, one subscriptionInfo) error {
	f := newFields(out)
	f.line("id", one.ID)
	f.line("resource", one.Resource)
	f.line("changes", strings.Join(one.Changes, ","))
	f.line("address", one.Address)
	f.line("lifecycle address", one.LifecycleAddress)
	if one.ResourceData {
		f.line("resource data", "yes, encrypted")
	}
	f.line("application", one.Application)
	f.line("created", localTime(one.Created))
	f.line("expires", localTime(one.Expires))
	f.line("kept by", one.Mount)
	return f.flush()
}
