package main

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/workfs/workfs/backends/graph"
	"github.com/workfs/workfs/backends/graph/subscription"
)

// graphSubscriptions are those of a Microsoft connection.
type graphSubscriptions struct{ client *graph.Client }

func (s graphSubscriptions) list(ctx context.Context) ([]subscriptionInfo, error) {
	all, err := subscription.List(ctx, s.client)
	list := make([]subscriptionInfo, len(all))
	for i, r := range all {
		list[i] = graphInfo(r)
	}
	return list, err
}

func (s graphSubscriptions) show(ctx context.Context, id string) (subscriptionInfo, error) {
	r, err := subscription.Show(ctx, s.client, id)
	return graphInfo(r), err
}

func (s graphSubscriptions) create(ctx context.Context, d subscriptionDraft) (subscriptionInfo, error) {
	if d.resource == "" || d.address == "" || d.target != "" || len(d.triggers) > 0 {
		return subscriptionInfo{}, withCode(codeUsage, errors.New("a microsoft connection needs --resource and --address, and may have --changes, --expires, --lifecycle-address"))
	}
	r, err := subscription.Create(ctx, s.client, subscription.Draft{
		Resource: d.resource, ChangeType: strings.Join(d.changes, ","), NotificationURL: d.address, LifecycleNotificationURL: d.lifecycle,
		Expires: d.expires.UTC(), ClientState: d.clientState,
	})
	return graphInfo(r), err
}

func (s graphSubscriptions) renew(ctx context.Context, id string, expires time.Time) (subscriptionInfo, error) {
	r, err := subscription.Renew(ctx, s.client, id, expires.UTC())
	return graphInfo(r), err
}

func (s graphSubscriptions) delete(ctx context.Context, id string) error {
	return subscription.Delete(ctx, s.client, id)
}

func graphInfo(r subscription.Remote) subscriptionInfo {
	return subscriptionInfo{
		ID: r.ID, Resource: r.Resource, Changes: strings.Split(r.ChangeType, ","), Address: r.NotificationURL,
		LifecycleAddress: r.LifecycleNotificationURL, ResourceData: r.IncludeResourceData, Application: r.ApplicationID, Expires: r.Expires,
	}
}
