package main

import (
	"bytes"
	"testing"
	"time"

	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/backends/webhook"
	"github.com/workfs/workfs/cache"
)

func TestSpan(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		5 * time.Minute: "5m", time.Hour: "1h", 90 * time.Minute: "1h30m", 10 * time.Second: "10s", 61 * time.Second: "1m1s",
		24 * time.Hour: "24h", 35*time.Millisecond + 300: "35ms", 20 * time.Minute: "20m", 0: "0s",
	} {
		if got := span(d); got != want {
			t.Errorf("%v is written %q, want %q", d, got, want)
		}
	}
}

// statusFor is a mount in which everything occurs that status tells of.
func statusFor() mountStatus {
	at := func(minute int) time.Time { return time.Date(2026, 11, 20, 9, minute, 0, 0, time.Local) }
	return mountStatus{
		Mountpoint: "/mnt", PID: 7, Started: at(0),
		Connections: []connectionStatus{{Name: "contoso", Type: "microsoft", Auth: "app"}},
		Webhooks: &webhook.Status{
			Address: "https://example.org", Reach: backends.Reach{Known: true, Down: true, Since: at(1), Problem: "HTTP 502"}, Accepted: 12, Refused: 3,
		},
		Collections: []cache.Collection{
			{Service: "contoso/outlook", Name: "inbox", Collections: 1, Directories: 42, Live: 40, Entries: 400, Oldest: at(5), Newest: at(20),
				Following:  &cache.Following{By: backends.ByWebhook, Since: at(2), Interval: 5 * time.Minute, Renewal: at(59), Subscription: "sub-1"},
				LastChange: &cache.LastChange{At: at(19), By: backends.ByWebhook, Lag: 35 * time.Millisecond}},
			{Service: "contoso/outlook", Name: "sent", Collections: 1, Directories: 3, Entries: 30, Oldest: at(3), Newest: at(6),
				Following: &cache.Following{Interval: 20 * time.Minute, Problem: "the service allows no more subscriptions"}},
			{Service: "contoso/outlook", Name: "tray", Collections: 1, Directories: 1, Following: &cache.Following{Interval: time.Hour, Problem: "the service allows no more subscriptions"}},
			{Service: "contoso/teams", Name: "chats", Collections: 1, Directories: 9, Fixed: 7, Entries: 5, Oldest: at(4), Newest: at(4),
				Error: "the service said no", PausedFor: "3s"},
		},
	}
}

func TestStatusText(t *testing.T) {
	t.Parallel()
	for all, want := range map[bool]string{
		false: `/mnt  (process 7, since 2026-11-20 09:00:00)
  contoso (microsoft, app): open
  webhooks: https://example.org DOES NOT ANSWER since 2026-11-20 09:01:00 (HTTP 502); 12 accepted, 3 refused
  cache: 0 entries, 0 B of contents on disk
  SERVICE          LISTED  ENTRIES  OLDEST               LAST SYNC            KEPT RIGHT
  contoso/outlook  46      430      2026-11-20 09:03:00  2026-11-20 09:20:00  40 live by webhook, 6 asked every 5m to 1h
  contoso/teams    9       5        2026-11-20 09:04:00  2026-11-20 09:04:00  2 by age, 7 fixed
  contoso/outlook: NOT LIVE: the service allows no more subscriptions (2 times)
  contoso/teams: FAILED: the service said no (the older listing serves, tried again in 3s)
`,
		true: `/mnt  (process 7, since 2026-11-20 09:00:00)
  contoso (microsoft, app): open
  webhooks: https://example.org DOES NOT ANSWER since 2026-11-20 09:01:00 (HTTP 502); 12 accepted, 3 refused
  cache: 0 entries, 0 B of contents on disk
  contoso/outlook  inbox
    42 listed with 400 entries, 40 live by webhook, 2 asked every 5m
    last sync 2026-11-20 09:20:00, last change 2026-11-20 09:19:00 by webhook, 35ms after the news
    subscription sub-1, renewed next 2026-11-20 09:59:00
  contoso/outlook  sent
    3 listed with 30 entries, 3 asked every 20m
    last sync 2026-11-20 09:06:00
    NOT LIVE: the service allows no more subscriptions
  contoso/outlook  tray
    1 listed with 0 entries, 1 asked every 1h
    NOT LIVE: the service allows no more subscriptions
  contoso/teams  chats
    9 listed with 5 entries, 2 by age, 7 fixed
    last sync 2026-11-20 09:04:00
    FAILED: the service said no (the older listing serves, tried again in 3s)
`,
	} {
		var out bytes.Buffer
		if err := printStatus(&out, statusFor(), all); err != nil {
			t.Fatal(err)
		}
		if out.String() != want {
			t.Errorf("all %v: printed\n%s\nwant\n%s", all, &out, want)
		}
	}
}

func TestLiveText(t *testing.T) {
	t.Parallel()
	for want, info := range map[string]cache.FileInfo{
		"yes, by long poll":                            {Live: true, Following: &cache.Following{By: backends.ByLongPoll}},
		"no, asked every 5m":                           {Following: &cache.Following{Interval: 5 * time.Minute}},
		"no, made once and for all":                    {ValidFor: -1},
		"no, asked at the next look":                   {},
		"no, asked when somebody looks after 4m30s":    {ValidFor: 270 * time.Second},
		"no, asked when somebody looks after 23h59m1s": {ValidFor: 24*time.Hour - 59*time.Second, Following: &cache.Following{Problem: "no consent"}},
	} {
		if got := liveText(info); got != want {
			t.Errorf("%+v: %q, want %q", info, got, want)
		}
	}
}
