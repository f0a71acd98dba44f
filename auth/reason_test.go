package auth

import (
	"slices"
	"strings"
	"testing"
)

// TestEveryNumberHasItsRow has the numbers of the fact sheet on the Microsoft identity platform: those that people meet.
func TestEveryNumberHasItsRow(t *testing.T) {
	met := []int{
		// configuration
		50011, 700016, 700011, 70001, 7000112, 50194, 650052, 650056, 650057, 65005, 900144, 90014, 9002313, 90002, 90038, 70003, 70005, 70011,
		1002012, 28002, 50059, 50128, 90019,
		// the app's credentials
		7000215, 7000222, 7000218, 700025, 700027, 50012, 700024, 50048, 700030,
		// the account
		50034, 50020, 50053, 50055, 50144, 50056, 50057, 50126, 50105,
		// policies
		50072, 50074, 50076, 50078, 50079, 50097, 50158, 50131, 53000, 53001, 53002, 53003, 53004, 530035, 53011,
		// tokens and codes
		50173, 50132, 50133, 50089, 70000, 70008, 700082, 700084, 70043, 54005, 50013, 501481, 50147, 501491,
		// device codes
		70016, 70018, 70019, 70020, 50134, 90119, 90120,
		// consent
		65001, 65004, 90094, 90095, 50140, 50058, 16000,
		// load, other tenants
		50196, 90055, 50033, 50087, 500212, 500213, 51004,
	}
	rows := map[int]int{}
	for _, r := range Reasons() {
		for _, n := range r.Numbers {
			if r.Error == "" {
				rows[n]++
			}
		}
	}
	for _, n := range met {
		if rows[n] == 0 {
			t.Errorf("AADSTS%d has no row", n)
		}
	}
	for n, times := range rows {
		if times > 1 {
			t.Errorf("AADSTS%d has %d rows", n, times)
		}
	}
}

// TestReasonsReadWell checks what a message made of a row looks like, and that no row hides behind another.
func TestReasonsReadWell(t *testing.T) {
	admins := 0
	for _, r := range Reasons() {
		for _, text := range []string{r.What, r.Do} {
			if text == "" || strings.HasSuffix(text, ".") || strings.ContainsAny(text, "\n\t%") || strings.TrimSpace(text) != text {
				t.Errorf("%q is not a sentence for a message", text)
			}
		}
		if (r.kind == Throttled || r.kind == Unreachable) && !r.Wait {
			t.Errorf("%q is temporary, but no wait helps", r.What)
		}
		for _, says := range r.Says {
			if says != strings.ToLower(says) {
				t.Errorf("%q is never found: descriptions are compared in lower case", says)
			}
		}
		if r.Admin {
			admins++
			if !strings.Contains(r.Do, "admin") && r.Error != "permission_denied" {
				t.Errorf("%q wants an admin and does not say so", r.Do)
			}
		}
		code, description := r.Error, strings.Join(r.Says, "")
		if len(r.Says) > 0 {
			description = r.Says[0]
		}
		var got *Error
		if r.Service == "box" {
			got = BoxRefusal(code, "Something: "+strings.ToUpper(description))
		} else {
			got = MicrosoftRefusal(code, "", r.Numbers)
		}
		if got.Reason.What != r.What || got.Reason.Do != r.Do || got.Kind != r.kind || got.Reason.Service != r.Service {
			t.Errorf("the row %q of %s is hidden by %q", r.What, r.Service, got.Reason.What)
		}
	}
	if admins == 0 {
		t.Error("no row is for an administrator")
	}
}

func TestRefusalOfARedirect(t *testing.T) {
	const description = "AADSTS65004: User declined to consent, says anna@contoso.example.\r\nTrace ID: 0d9a"
	err := MicrosoftRefusal("access_denied", description, nil)
	if err.Code != "access_denied AADSTS65004" || err.Reason.What != "consent was declined" || strings.Contains(err.Error(), "anna") {
		t.Errorf("%v (%q)", err, err.Code)
	}
	// Numbers that nobody knows leave the OAuth error to speak; several are searched in turn.
	err = MicrosoftRefusal("interaction_required", "AADSTS99999999: new", nil)
	if err.Code != "interaction_required AADSTS99999999" || !strings.Contains(err.Action, "policy") {
		t.Errorf("%v", err)
	}
	if err = MicrosoftRefusal("invalid_grant", "", []int{99999999, 50057}); err.Reason.What != "the user account is disabled" || err.Code != "invalid_grant AADSTS50057" {
		t.Errorf("%v", err)
	}
	if err = MicrosoftRefusal("never_heard_of", "", nil); !strings.Contains(err.Action, "refused") || err.Kind != Denied {
		t.Errorf("%v", err)
	}
	// An address may be tampered with: what it says reaches no terminal.
	err = BoxRefusal("access_denied\x1b[2J<script>"+strings.Repeat("a", 100), "\x1b[2J")
	if strings.ContainsAny(err.Error(), "\x1b<[") || len(err.Code) > 40 {
		t.Errorf("%q", err.Error())
	}
}

// TestBoxTexts has Box's descriptions as its guide and SDKs quote them.
func TestBoxTexts(t *testing.T) {
	for _, tt := range []struct{ code, description, says string }{
		{"invalid_grant", "Please check the 'exp' claim.", "clock"},
		{"invalid_grant", "Current date/time MUST be before the expiration date/time listed in the 'exp' claim.", "clock"},
		{"invalid_grant", "Please check the 'exp' claim. The expiration exceeds the maximum value of 60 seconds", "clock"},
		{"invalid_grant", "Please check the 'jti' claim. A unique 'jti' value is required.", "seen"},
		{"invalid_grant", "Please check the 'iss' claim.", "client_id"},
		{"invalid_grant", "Please check the 'sub' claim. The 'sub' specified is invalid.", "subject"},
		{"invalid_grant", "Please check the 'aud' claim. Should be a string", "token_url"},
		{"invalid_grant", "Signature verification error. The public key identified by \"kid\" must correspond to the private key used for signing.", "private_key"},
		{"invalid_grant", "OAuth JWT header kid invalid, unable to lookup correct key.", "public_key_id"},
		{"invalid_grant", "Grant credentials are invalid", "subject"},
		{"invalid_grant", "The authorization code has expired", "30 seconds"},
		{"invalid_grant", "Refresh token has expired", "used by another program"},
		{"invalid_grant", "Invalid refresh token", "sign in again"},
		{"unauthorized_client", "This app is not authorized by the enterprise", "admin"},
		{"invalid_client", "The client credentials are invalid", "client_secret"},
		{"invalid_request", "The grant type is unauthorized for this client_id", "another type"},
		{"unauthorized_client", "The grant type is unauthorized for this client_id", "another type"},
		{"invalid_request", "Cannot obtain user token based on the enterprise configuration for your app", "Generate user access tokens"},
		{"unauthorized_client", "Cannot obtain user token based on the enterprise configuration for your app", "Generate user access tokens"},
		{"invalid_request", "Invalid grant_type parameter or parameter missing", "token_url"},
		{"terms_of_service_required", "", "terms of service"},
		{"password_reset_required", "", "password"},
		{"user_email_confirmation_required", "", "mail"},
		{"access_from_location_blocked", "", "network"},
		{"something_new", "of a kind", "refused"},
	} {
		if err := BoxRefusal(tt.code, tt.description); !strings.Contains(err.Action, tt.says) {
			t.Errorf("%s %q: %v, want %q", tt.code, tt.description, err, tt.says)
		}
	}
}

func TestReasonsCanNotBeChanged(t *testing.T) {
	rows := Reasons()
	rows[0].What = "changed"
	if slices.ContainsFunc(Reasons(), func(r Reason) bool { return r.What == "changed" }) {
		t.Error("the table was changed from outside")
	}
}

// TestLoopDetection leaves Entra alone for a while after it has complained of too many requests.
func TestLoopDetection(t *testing.T) {
	e := serve(t, reply{400, `{"error":"invalid_grant","error_codes":[50196]}`, nil})
	s := NewMicrosoft(MicrosoftConfig{LoginURL: e.URL, Tenant: "t", ClientID: "c"}, File(credentials(t, `{"refresh_token":"r0"}`)), nil)
	for range 3 {
		if _, err := s.Token(t.Context()); err == nil || !strings.Contains(err.Error(), "too many requests") {
			t.Error(err)
		}
	}
	if e.calls.Load() != 1 {
		t.Errorf("%d requests, want 1", e.calls.Load())
	}
}
