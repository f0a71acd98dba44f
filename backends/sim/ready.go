package sim

import (
	"time"

	"github.com/workfs/workfs/backends/sim/company"
	"github.com/workfs/workfs/backends/sim/entra"
)

// Ready is what a client needs to know of a simulator that listens; as JSON it is the ready line.
type Ready struct {
	Graph         string `json:"graph"` // base URLs, without a version and without a trailing slash
	Login         string `json:"login"`
	BoxAPI        string `json:"box_api"`
	BoxAccount    string `json:"box_account"`
	BoxDownload   string `json:"box_download"`
	BoxRealtime   string `json:"box_realtime"`
	DriveDownload string `json:"drive_download"`
	Control       string `json:"control"`
	CA            string `json:"ca"` // path of the CA certificate, empty without TLS

	Tenant         string `json:"tenant"`
	TenantDomain   string `json:"tenant_domain"`
	ClientID       string `json:"client_id"`
	ClientSecret   string `json:"client_secret"`
	PublicClientID string `json:"public_client_id"`
	RefreshToken   string `json:"refresh_token"` // of alice, for ClientID

	NewClientID       string `json:"new_client_id"` // registered, but nobody has consented to it
	NewClientSecret   string `json:"new_client_secret"`
	NewPublicClientID string `json:"new_public_client_id"` // likewise, for public clients
	Password          string `json:"password"`             // of every user
	Admin             string `json:"admin"`                // user name of the global administrator
	ForeignUser       string `json:"foreign_user"`         // user name of somebody in another tenant

	BoxClientID     string `json:"box_client_id"`
	BoxClientSecret string `json:"box_client_secret"`
	BoxEnterprise   string `json:"box_enterprise"`
	BoxSubject      string `json:"box_subject"`       // alice's Box user id
	BoxRefreshToken string `json:"box_refresh_token"` // of alice, single use

	BoxJWTClientID     string `json:"box_jwt_client_id"` // an app that has no keys yet, see POST /box/apps/{id}/keypair
	BoxJWTClientSecret string `json:"box_jwt_client_secret"`

	BoxWebhookKeys []string `json:"box_webhook_keys"` // of the app, by which deliveries are signed, primary first

	Users []User    `json:"users"`
	Now   time.Time `json:"now"` // virtual time at the start
	Seed  int64     `json:"seed"`
	Scale int       `json:"scale"`
}

// User is one member of the company, alice first.
type User struct {
	ID    string `json:"id"`
	Mail  string `json:"mail"`
	Name  string `json:"name"`
	BoxID string `json:"box_id"`
}

// Ready gives the addresses and credentials. It is complete once Start has returned.
func (s *Sim) Ready() Ready { return s.ready }

func (s *Sim) fillReady() {
	h := s.world.Hosts
	alice := s.company.Alice()
	s.ready = Ready{
		Graph: h.Graph, Login: h.Login, BoxAPI: h.BoxAPI, BoxAccount: h.BoxAccount, BoxDownload: h.BoxDownload,
		BoxRealtime: h.BoxRealtime, DriveDownload: h.DriveDownload, Control: h.Control,
		Tenant: s.company.TenantID, TenantDomain: s.company.Domain,
		ClientID: s.clouds.Entra.Confidential.ID, ClientSecret: s.clouds.Entra.Confidential.Secret, PublicClientID: s.clouds.Entra.Public.ID,
		RefreshToken: s.clouds.Entra.RefreshToken(s.clouds.Entra.Confidential, alice, s.clouds.Entra.Confidential.Scopes),
		NewClientID:  s.clouds.Entra.NewConfidential.ID, NewClientSecret: s.clouds.Entra.NewConfidential.Secret, NewPublicClientID: s.clouds.Entra.NewPublic.ID,
		Password: company.Password, Admin: s.clouds.Entra.Admin().UPN, ForeignUser: entra.ForeignUser,
		BoxClientID: s.boxApp.id, BoxClientSecret: s.boxApp.secret, BoxEnterprise: s.clouds.Box.EnterpriseID(),
		BoxSubject: s.clouds.Box.UserID(alice.Mail), BoxRefreshToken: s.clouds.Box.IssueRefreshToken(alice.Mail),
		BoxJWTClientID: s.boxJWT.id, BoxJWTClientSecret: s.boxJWT.secret,
		Now: s.world.Start(), Seed: s.opts.Seed, Scale: s.opts.Scale,
	}
	primary, secondary := s.clouds.Box.WebhookKeys()
	s.ready.BoxWebhookKeys = []string{primary, secondary}
	if s.opts.TLSDir != "" {
		s.ready.CA = caPath(s.opts.TLSDir)
	}
	for _, p := range s.company.People {
		s.ready.Users = append(s.ready.Users, User{ID: p.ID, Mail: p.Mail, Name: p.DisplayName, BoxID: s.clouds.Box.UserID(p.Mail)})
	}
}
