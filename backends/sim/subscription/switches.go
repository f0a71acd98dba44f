package subscription

import (
	"time"

	"github.com/workfs/workfs/backends/sim/core"
)

// Names of the switches.
const (
	switchLoopbackHTTP  = "subscriptions.loopback_http"
	switchSecond        = "subscriptions.second_ms"
	switchLatency       = "subscriptions.latency"
	switchBatch         = "subscriptions.batch"
	switchDuplicate     = "subscriptions.duplicate_percent"
	switchReorder       = "subscriptions.reorder_percent"
	switchLoss          = "subscriptions.loss_percent"
	switchForged        = "subscriptions.forged_percent"
	switchSpoilt        = "subscriptions.spoilt_signature_percent"
	switchToken         = "subscriptions.validation_token"
	switchTokenVersion  = "subscriptions.token_version"
	switchClientState   = "subscriptions.show_client_state"
	switchAuthorization = "subscriptions.authorization_minutes"
	switchSamples       = "subscriptions.health_samples"
	switchPerMailbox    = "subscriptions.max_per_mailbox"
	switchPerTeams      = "subscriptions.max_teams"
	switchPerResource   = "subscriptions.max_per_conversation"
	switchPerUserChats  = "subscriptions.max_per_user_chats"
	switchPerDirectory  = "subscriptions.max_directory"
)

// latencyMaximum is the value of switchLatency for the longest that the documentation says; others are Go durations.
const latencyMaximum = "maximum"

func register(sw *core.Switches) {
	sw.Register(switchLoopbackHTTP, true, "for tests only: a notificationUrl may be plain http on a loopback address")
	sw.Register(switchSecond, 1000, "real milliseconds that a receiver has for each second of its time limits")
	sw.Register(switchLatency, "0s", "virtual time from a change to its notification: a Go duration, or maximum for the documented one")
	sw.Register(switchBatch, 50, "notifications per POST at most (undocumented)")
	sw.Register(switchDuplicate, 0, "share of notifications that are sent twice, in percent")
	sw.Register(switchReorder, 0, "share of notifications, in percent, that come 10 virtual seconds late, after others")
	sw.Register(switchLoss, 0, "share of notifications that are never sent, in percent")
	sw.Register(switchForged, 0, "share of POSTs, in percent, with an item of a wrong clientState before the good ones")
	sw.Register(switchSpoilt, 0, "share of notifications with resource data, in percent, whose dataSignature is wrong")
	sw.Register(switchToken, "good", "validation tokens: good, expired, wrong_app, wrong_audience, wrong_tenant, bad_signature or none")
	sw.Register(switchTokenVersion, 1, "claims of validation tokens: 1 (appid) or 2 (azp)")
	sw.Register(switchClientState, true, "clientState is shown by later calls too, not only by the one that creates (the service is said to do both)")
	sw.Register(switchAuthorization, 24*60, "virtual minutes that a subscription with a lifecycleNotificationUrl is authorized for (undocumented)")
	sw.Register(switchSamples, 10, "answers within 10 minutes from which an endpoint can count as slow (undocumented)")
	sw.Register(switchPerMailbox, 1000, "subscriptions per mailbox over all applications")
	sw.Register(switchPerTeams, 10000, "subscriptions to Teams resources in the organization")
	sw.Register(switchPerResource, 1, "subscriptions per application and channel, chat or team")
	sw.Register(switchPerUserChats, 10, "subscriptions per application to all chat messages of one user")
	sw.Register(switchPerDirectory, 100, "subscriptions to users and groups per application")
}

// Limits of time, in virtual time but for those of a receiver's answer, which are scaled real time.
const (
	firstLimit      = 3 * time.Second  // for the answer to a first delivery
	retryLimit      = 10 * time.Second // for the answer to a repeated one, and to a validation
	firstRetry      = 10 * time.Second // doubled each time; a guess, the page says exponential
	retriedFor      = 4 * time.Hour
	healthWindow    = 10 * time.Minute
	disorder        = 10 * time.Second
	minimumLife     = 45 * time.Minute
	lifecycleFree   = time.Hour // Teams subscriptions that live longer need a lifecycleNotificationUrl
	tokenLife       = 29100 * time.Second
	maxClientState  = 128
	challengeEarly  = 3 * time.Hour
	challengeRepeat = 15 * time.Minute
)

// seconds scales a limit to real time.
func (s *Service) seconds(limit time.Duration) time.Duration {
	return limit / 1000 * time.Duration(s.world.Switches.Int(switchSecond))
}

// chance draws whether something with a share in percent happens. s.mu is held.
func (s *Service) chance(name string) bool {
	percent := s.world.Switches.Int(name)
	return percent > 0 && s.rand.IntN(100) < percent
}

// latency gives the time from a change to its notification.
func (s *Service) latency(r *rule) time.Duration {
	v := s.world.Switches.String(switchLatency)
	if v == latencyMaximum {
		return r.latency
	}
	d, err := time.ParseDuration(v)
	if err != nil {
		return 0
	}
	return d
}
