package entra

import (
	"crypto/rand"
	"crypto/rsa"
	"time"
)

// ChangeTrackingAppID is the application id of Microsoft Graph Change Tracking, which signs for change notifications.
const ChangeTrackingAppID = "0bf30f3b-4a52-48df-9a82-234910c4a086"

// Validation describes a token that comes with change notifications (change-notifications-with-resource-data.md). The zero
// values of Issuer and Publisher are those of the real ones.
type Validation struct {
	Audience  string // application id of the receiver
	Publisher string // appid or azp, "": ChangeTrackingAppID
	TenantID  string // of the issuer
	V2        bool   // claims of the v2 endpoint
	IssuedAt  time.Time
	Expires   time.Time
	Stranger  bool // signed with a key that is not published, under the id of one that is
}

// ValidationToken gives a token as Validation describes it.
func (s *Service) ValidationToken(v Validation) string {
	if v.Publisher == "" {
		v.Publisher = ChangeTrackingAppID
	}
	claims := map[string]any{
		"aud": v.Audience, "iat": v.IssuedAt.Unix(), "nbf": v.IssuedAt.Unix(), "exp": v.Expires.Unix(),
		"aio": s.random(24), "tid": v.TenantID, "uti": s.random(16),
	}
	if v.V2 {
		claims["iss"] = s.world.Hosts.Login + "/" + v.TenantID + "/v2.0"
		claims["azp"], claims["azpacr"], claims["ver"] = v.Publisher, "2", "2.0"
	} else {
		issuer := "https://sts.windows.net/" + v.TenantID + "/"
		claims["iss"], claims["idp"] = issuer, issuer
		claims["appid"], claims["appidacr"], claims["ver"] = v.Publisher, "2", "1.0"
	}
	if v.Stranger {
		return s.signer.signWith(stranger(s.signer.current().id), claims, !v.V2)
	}
	return s.signer.sign(claims, !v.V2)
}

// stranger makes a key that nobody publishes.
func stranger(id string) key {
	priv, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic("making a key: " + err.Error())
	}
	return key{id, priv}
}
