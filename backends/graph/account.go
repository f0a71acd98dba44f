package graph

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"

	"github.com/workfs/workfs/backends"
)

// cloud is one of the national clouds (learn.microsoft.com, National cloud deployments).
type cloud struct {
	name     string
	contents []string
}

var clouds = map[string]cloud{
	"graph.microsoft.us":              {"us-gov", []string{"*.sharepoint.us", "*.svc.ms"}},
	"dod-graph.microsoft.us":          {"us-dod", []string{"*.sharepoint-mil.us", "*.svc.ms"}},
	"microsoftgraph.chinacloudapi.cn": {"china", []string{"*.sharepoint.cn"}},
}

var global = cloud{"global", []string{"*.sharepoint.com", "*.svc.ms", "*.1drv.com"}}

// cloudOf gives the cloud of a Graph host. A host that is not known counts as the global cloud, so that identities do not
// depend on where a simulator or a proxy listens.
func cloudOf(host string) cloud {
	if c, ok := clouds[strings.ToLower(host)]; ok {
		return c
	}
	return global
}

// Resource gives the resource that tokens for a Graph host are asked for: the host itself in the national clouds, else the
// global one, whatever proxy or simulator baseURL names.
func Resource(baseURL string) string {
	if u, err := url.Parse(baseURL); err == nil {
		if _, national := clouds[strings.ToLower(u.Hostname())]; national {
			return "https://" + strings.ToLower(u.Hostname())
		}
	}
	return "https://graph.microsoft.com"
}

// ContentHosts are the hosts that the downloads of a cloud come from, as rest.Options wants them.
func ContentHosts(baseURL string) []string {
	host := ""
	if u, err := url.Parse(baseURL); err == nil {
		host = u.Hostname()
	}
	return cloudOf(host).contents
}

// Account is who is signed in.
type Account struct {
	Tenant      string `json:"tenant"`            // GUID, or the domain where /organization may not be read; never "common"
	UserID      string `json:"user_id,omitempty"` // GUID; "" when app-only
	UPN         string `json:"upn,omitempty"`
	Mail        string `json:"mail,omitempty"`
	DisplayName string `json:"display_name,omitempty"`
}

var guid = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)

// IsGUID tells whether s is the id of a tenant, an application or a user, and not a name.
func IsGUID(s string) bool { return guid.MatchString(s) }

// Scope is what makes identities of a service of this account unique: cloud, tenant, principal and service.
func (c *Client) Scope(a Account, service string) string {
	base, _ := url.Parse(c.cfg.BaseURL)
	principal := "user:" + strings.ToLower(a.UserID)
	if c.cfg.AppOnly {
		principal = "app:" + strings.ToLower(c.cfg.ClientID)
	}
	return strings.Join([]string{"microsoft", cloudOf(base.Hostname()).name, strings.ToLower(a.Tenant), principal, service}, "|")
}

// Account tells who is signed in. It asks once for each sign-in (/me, and /organization where the tenant is not configured as
// a GUID or tokens come from elsewhere) and remembers the answer in memory, so that mounts without a network work. A sign-in
// to another organisation than the one that is configured is ErrForbidden.
func (c *Client) Account(ctx context.Context, memory backends.Memory) (Account, error) {
	c.mu.Lock()
	known := c.account
	c.mu.Unlock()
	if known != nil {
		return *known, nil
	}
	parts := []string{c.cfg.BaseURL, c.cfg.Tenant, c.cfg.ClientID, fmt.Sprint(c.cfg.AppOnly)}
	if c.cfg.Lineage != "" {
		parts = append(parts, c.cfg.Lineage)
	}
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	key := "graph/account/" + hex.EncodeToString(sum[:8])
	var a Account
	if v, ok := memory.Get(key); !ok || json.Unmarshal(v, &a) != nil || a.Tenant == "" {
		var err error
		if a, err = c.askAccount(ctx); err != nil {
			return Account{}, err
		}
		v, err := json.Marshal(a)
		if err != nil {
			return Account{}, err
		}
		if err := memory.Put(key, v); err != nil {
			return Account{}, err
		}
	}
	c.mu.Lock()
	c.account = &a
	c.mu.Unlock()
	c.limits.setOwn(a.UserID, a.UPN, a.Mail)
	return a, nil
}

func (c *Client) askAccount(ctx context.Context) (Account, error) {
	a := Account{Tenant: strings.ToLower(c.cfg.Tenant)}
	if !c.cfg.AppOnly {
		var me struct{ ID, UserPrincipalName, Mail, DisplayName string }
		if err := c.Get(ctx, "/me", Opts("$select", "id,userPrincipalName,mail,displayName"), &me); err != nil {
			return a, err
		}
		if me.ID == "" {
			return a, fmt.Errorf("%w: Graph does not say who is signed in", backends.ErrUnavailable)
		}
		a.UserID, a.UPN, a.Mail, a.DisplayName = me.ID, me.UserPrincipalName, me.Mail, me.DisplayName
	}
	if IsGUID(c.cfg.Tenant) && !c.cfg.Foreign {
		return a, nil // the sign-in service gives tokens for no other one
	}
	page, err := c.Page(ctx, "/organization", Opts("$select", "id,verifiedDomains"))
	switch {
	case errors.Is(err, backends.ErrForbidden) && !anyTenant(a.Tenant):
		return a, nil
	case err != nil:
		return a, err
	}
	var org organization
	if len(page.Values) > 0 {
		if err := json.Unmarshal(page.Values[0], &org); err != nil {
			return a, fmt.Errorf("%w: Graph's answer about the organisation can't be read", backends.ErrUnavailable)
		}
	}
	if err := org.check(c.cfg.Tenant); err != nil {
		return a, err
	}
	if org.ID != "" {
		a.Tenant = strings.ToLower(org.ID)
	}
	return a, nil
}

// anyTenant tells whether what is configured as the tenant stands for many, or nothing is (Microsoft identity platform, Endpoints).
func anyTenant(tenant string) bool {
	switch strings.ToLower(tenant) {
	case "", "common", "organizations", "consumers":
		return true
	}
	return false
}

// organization is a tenant as Graph describes it.
type organization struct {
	ID      string `json:"id"`
	Domains []struct {
		Name string `json:"name"`
	} `json:"verifiedDomains"`
}

// check tells whether it is the tenant that is configured. A wrong one would be taken for the right one in identities, and
// show somebody else's mail under its name.
func (o *organization) check(tenant string) error {
	switch {
	case anyTenant(tenant) && o.ID == "":
		return fmt.Errorf("%w: Graph does not say which organisation is signed in to: set tenant to its id", backends.ErrUnavailable)
	case anyTenant(tenant), o.ID == "", strings.EqualFold(tenant, o.ID):
		return nil
	case !IsGUID(tenant) && len(o.Domains) == 0:
		return nil // it does not tell its domains
	}
	for _, d := range o.Domains {
		if strings.EqualFold(d.Name, tenant) {
			return nil
		}
	}
	return fmt.Errorf("%w: the sign-in is one to the organisation %s, and tenant names another one: set tenant right, or sign in again", backends.ErrForbidden, o.ID)
}
