package box

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/workfs/workfs/backends"
)

// account is a user of Box, as far as it matters who is signed in.
type account struct {
	ID         text `json:"id"`
	Login      text `json:"login"`
	Role       text `json:"role"`
	Enterprise struct {
		ID text `json:"id"`
	} `json:"enterprise"`
}

const accountFields = "id,login,role,enterprise"

// signIn is who acts and who is signed in; these are two with Config.AsUser.
type signIn struct {
	account // who acts: the user whose view is the own one
	// Caller is whose the token is. Without an ID it is the one who acts.
	Caller account `json:"caller,omitzero"`
}

// own is the id of the user whose view is the connection's own.
func (b *Backend) own() string { return string(b.account.ID) }

// caller is whose the token is.
func (b *Backend) caller() *account {
	if b.account.Caller.ID != "" {
		return &b.account.Caller
	}
	return &b.account.account
}

// as gives the header that makes a request act as a view's user. Whose the token is must not impersonate itself: Box
// refuses that.
func (b *Backend) as(view string) http.Header {
	if view == string(b.caller().ID) || b.cfg.EnterpriseContent {
		return nil
	}
	return http.Header{"As-User": {view}}
}

// identify finds out who is signed in and who acts, once for each sign-in: memory keeps the answer.
func (b *Backend) identify(ctx context.Context, memory backends.Memory) error {
	parts := []string{b.cfg.APIURL, b.cfg.ClientID, b.cfg.Subject}
	if b.cfg.AsUser != "" || b.cfg.Lineage != "" {
		parts = append(parts, b.cfg.AsUser, b.cfg.Lineage)
	}
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	key := "box/account/" + hex.EncodeToString(sum[:8])
	if v, ok := memory.Get(key); ok && json.Unmarshal(v, &b.account) == nil && b.account.ID != "" {
		return nil
	}
	if err := b.rest.JSON(ctx, "/users/me?fields="+accountFields, nil, &b.account.account); err != nil {
		return fmt.Errorf("asking Box who is signed in: %w", err)
	}
	if b.account.ID == "" {
		return fmt.Errorf("%w: Box does not say who is signed in", backends.ErrUnavailable)
	}
	if err := b.actAs(ctx, b.cfg.AsUser); err != nil {
		return fmt.Errorf("as_user: %w", err)
	}
	v, err := json.Marshal(b.account)
	if err != nil {
		return err
	}
	return memory.Put(key, v)
}

// actAs makes a user, given by login or id, the one who acts; "" for the one who is signed in.
func (b *Backend) actAs(ctx context.Context, user string) error {
	caller := b.account.account
	if user == "" || strings.EqualFold(user, string(caller.Login)) {
		return nil
	}
	id := user
	if strings.Trim(user, "0123456789") != "" {
		found, err := b.userID(ctx, user)
		if err != nil {
			return err
		}
		id = found
	}
	if id == string(caller.ID) {
		return nil
	}
	// Asking who that is proves at once that the sign-in may act for them.
	var target account
	err := b.rest.JSON(ctx, "/users/me?fields="+accountFields, http.Header{"As-User": {id}}, &target)
	switch {
	case refused(err):
		return fmt.Errorf("%w: %s (%w)", backends.ErrForbidden, b.whyNot(ctx, id), plain(err))
	case err != nil:
		return err
	case string(target.ID) != id:
		return fmt.Errorf("%w: Box answers for somebody else", backends.ErrUnavailable)
	}
	b.account = signIn{account: target, Caller: caller}
	return nil
}

// userID finds the managed user with a login.
func (b *Backend) userID(ctx context.Context, login string) (id string, err error) {
	// The term matches the beginnings of names and logins, so others may come as well.
	err = b.byMarker(ctx, "/users?user_type=managed&fields=id,login&filter_term="+url.QueryEscape(login), b.own(), func(raw json.RawMessage) error {
		var u user
		if json.Unmarshal(raw, &u) == nil && strings.EqualFold(string(u.Login), login) && u.ID != "" {
			id = string(u.ID)
		}
		return nil
	})
	switch {
	case errors.Is(err, backends.ErrForbidden):
		return "", fmt.Errorf("the sign-in may not look for a login among the users, give the id instead: %w", err)
	case err == nil && id == "":
		return "", fmt.Errorf("%w: the enterprise has no user with this login", backends.ErrNotFound)
	}
	return id, err
}

// remarks tells in Coverage what somebody should know of the sign-in who misses something.
func (b *Backend) remarks() {
	if !b.seesDirectory() {
		b.gap("directory", "only an administrator of the enterprise may list its users and groups")
	}
	switch {
	case b.cfg.Enterprise:
		b.gap("users/*/files", "items that other enterprises own are not shown: they can't be reached by acting as a user")
	case b.cfg.EnterpriseContent:
		b.gap("users/*/files", "the folders and files at the top of another user's tree are found by search and by events, since Box has no list of them: what neither finds is not shown, and what is new only after some minutes; nor are items shared with that user, and items that other enterprises own")
		b.gap("files", "items that other enterprises own are not shown: the scope enterprise_content takes them away")
	case b.account.Caller.ID != "":
		b.gap("files", "items that other enterprises own are not shown: they can't be reached by acting as a user")
	case appOf(b.account.Login, servicePrefix) != "":
		b.gap("files", "the sign-in is the Service Account of an application ("+string(b.account.Login)+"), which owns nothing: invite it to folders, or set enterprise or as_user for this connection")
	}
}

// Box gives the users that belong to an application logins of these forms, PREFIX_APP_RANDOM@boxdevedition.com
// (developer.box.com/platform/user-types).
const (
	servicePrefix = "AutomationUser"
	appUserPrefix = "AppUser"
	appDomain     = "@boxdevedition.com"
)

// appOf gives the number of the application that a login of a form belongs to, "" if it is no such login.
func appOf(login text, prefix string) string {
	name, ok := strings.CutSuffix(string(login), appDomain)
	parts := strings.Split(name, "_")
	if !ok || len(parts) < 3 || parts[0] != prefix {
		return ""
	}
	return parts[1]
}

// never gives the reason why the sign-in can certainly not act as a user, "" if there is none
// (developer.box.com/guides/authentication/jwt/as-user).
func (b *Backend) never(u *user) string {
	caller := b.caller()
	switch {
	case appOf(u.Login, servicePrefix) != "":
		return "nobody can act as the Service Account of an application"
	case appOf(u.Login, appUserPrefix) != "" && appOf(u.Login, appUserPrefix) != cmp.Or(appOf(caller.Login, servicePrefix), appOf(u.Login, appUserPrefix)):
		return "it is a user of another application"
	case caller.Role == "coadmin" && (u.Role == "admin" || u.Role == "coadmin"):
		return "a co-administrator can't act as an administrator or another co-administrator; sign in as the administrator, or as an application"
	}
	return ""
}

// whyNot gives the most likely reason why Box does not let the sign-in act as a user.
func (b *Backend) whyNot(ctx context.Context, id string) string {
	u, ok := b.person(id)
	if !ok {
		err := b.rest.JSON(ctx, "/users/"+url.PathEscape(id)+"?fields="+userFields, nil, &u)
		if errors.Is(err, backends.ErrNotFound) {
			return "the enterprise has no such user"
		}
	}
	if reason := b.never(&u); reason != "" {
		return reason
	}
	caller := b.caller()
	switch {
	case u.Status == "inactive":
		return "the account is inactive"
	case caller.Role != "admin" && caller.Role != "coadmin" && appOf(caller.Login, servicePrefix) == "":
		return "only an administrator, or an application that an administrator has authorised, can act as others"
	}
	return "the application needs the right to perform actions as users, and an administrator's authorisation since it has it"
}
