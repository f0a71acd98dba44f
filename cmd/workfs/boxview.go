package main

import (
	"context"
	"errors"
	"net/http"

	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/backends/all"
	"github.com/workfs/workfs/backends/rest"
)

// boxView asks Box about a sign-in.
type boxView struct{ client *rest.Client }

func newBoxView(conn backends.Connection) (boxView, error) {
	client, err := all.API(conn, backends.Options{UserAgent: userAgent()})
	return boxView{client}, err
}

// boxUser is a user of Box (developer.box.com, User).
type boxUser struct {
	ID         string `json:"id"`
	Name       string `json:"name"`
	Login      string `json:"login"`
	Role       string `json:"role"`
	Enterprise struct {
		ID   string `json:"id"`
		Name string `json:"name"`
	} `json:"enterprise"`
}

// me is who is signed in, or the user of an id if the sign-in may act for them.
func (b boxView) me(ctx context.Context, as string) (boxUser, error) {
	var header http.Header
	if as != "" {
		header = http.Header{"As-User": {as}}
	}
	var u boxUser
	err := b.client.JSON(ctx, "/2.0/users/me?fields=id,name,login,role,enterprise", header, &u)
	return u, err
}

// listsUsers tells whether the sign-in may list the users of its enterprise.
func (b boxView) listsUsers(ctx context.Context) (bool, error) {
	var page struct{}
	err := b.client.JSON(ctx, "/2.0/users?limit=1&fields=id", nil, &page)
	if errors.Is(err, backends.ErrForbidden) {
		return false, nil
	}
	return err == nil, err
}
