package auth

// boxReasons are what Box says (developer.box.com, Common errors and Troubleshooting of JWT and CCG; the texts as SDKs and
// rclone have met them). Box changes its texts, so that each row looks for as little of them as tells it from the others.
var boxReasons = of("box", []Reason{
	// The application and its authorisation.
	{Says: []string{"grant type is unauthorized"}, What: "the app is of another type",
		Do: "it must allow this way of signing in; make a new app if it does not, since the type stays as it was made"},
	{Says: []string{"cannot obtain user token"}, What: "the app may not act for this user",
		Do: "enable \"Generate user access tokens\" and App + Enterprise Access, then have an admin authorise the app again", Admin: true},
	{Error: "unauthorized_client", What: "the app is not authorised in the enterprise",
		Do: "have an admin authorise it in the admin console under Integrations, Platform Apps Manager", Admin: true},
	{Error: "invalid_client", What: "client_id or client_secret is wrong", Do: "copy both from the app's configuration in the developer console"},
	{Says: []string{"grant_type parameter"}, What: "this is not the address of Box's token endpoint", Do: "check token_url"},

	// Signed assertions.
	{Error: "invalid_grant", Says: []string{"'exp' claim", "exp claim", "maximum value of 60 seconds", "before the expiration", "'iat' claim", "'nbf' claim"},
		What: "Box's clock and that of this machine differ", Do: "set the clock of this machine"},
	{Error: "invalid_grant", Says: []string{"'jti' claim", "jti claim"}, What: "Box takes the signed request for one that it has seen",
		Do: "wait a minute", Wait: true, kind: Unreachable},
	{Error: "invalid_grant", Says: []string{"'iss' claim"}, What: "the signed request is for another app", Do: "check client_id"},
	{Error: "invalid_grant", Says: []string{"'sub' claim"}, What: "the enterprise or user that the app signs in for is unknown", Do: "check subject"},
	{Error: "invalid_grant", Says: []string{"'aud' claim"}, What: "the signed request is for another address", Do: "check token_url"},
	{Error: "invalid_grant", Says: []string{"kid invalid", "unable to lookup"}, What: "Box does not know the public key's id",
		Do: "check public_key_id against the app's public keys in the developer console"},
	{Error: "invalid_grant", Says: []string{"signature verification"}, What: "the private key does not belong to the public key that Box has",
		Do: "check private_key and public_key_id"},

	// Subjects, codes and refresh tokens.
	{Error: "invalid_grant", Says: []string{"grant credentials"}, What: "subject is unknown or not allowed for this app",
		Do: "check subject, and that an admin has authorised the app"},
	{Error: "invalid_grant", Says: []string{"authorization code"}, What: "the code of this sign-in has expired or was used already",
		Do: "sign in again; a code is good for 30 seconds"},
	{Error: "invalid_grant", Says: []string{"refresh token"}, What: "the refresh token has expired or was used by another program", Do: "sign in again"},
	{Error: "invalid_grant", What: "Box does not take the sign-in any longer", Do: "sign in again; for an app's own sign-in check subject and keys"},

	// Sign-in pages.
	{Error: "redirect_uri_missing", What: "the app has several addresses to return to and the request names none", Do: "set --callback to one of them"},
	{Error: "redirect_uri_mismatch", What: "the address that the sign-in returns to is not registered for the app",
		Do: "add it to the app's redirect URIs in the developer console"},
	{Error: "access_denied", What: "the sign-in was declined", Do: "sign in again and grant access"},
	{Error: "unsupported_response_type", What: "the app does not allow authorization codes", Do: "use an app of the type OAuth 2.0"},
	{Error: "invalid_scope", What: "the app does not have a scope that is asked for", Do: "check the app's scopes in the developer console"},

	// Codes of the API that a new access token does not cure, or that a new one of the same sign-in does.
	{Error: "insufficient_scope", What: "the app lacks the scope for this",
		Do: "add it in the developer console, then have an admin authorise the app again", Admin: true},
	{Error: "invalid_token", What: "Box does not take the access token any longer", Do: "sign in again if this stays"},
	{Error: "expired_token", What: "the access token has expired", Do: "sign in again if this stays"},
	{Error: "unauthorized", What: "Box does not take the access token", Do: "sign in again if this stays"},
	{Error: "terms_of_service_required", What: "the account has not accepted Box's terms of service", Do: "sign in at app.box.com and accept them"},
	{Error: "password_reset_required", What: "the account must change its password", Do: "sign in at app.box.com and change it, then sign in again"},
	{Error: "user_email_confirmation_required", What: "the account's address is not confirmed", Do: "follow the link in Box's mail"},
	{Error: "access_from_location_blocked", What: "the enterprise blocks access from this place or network",
		Do: "use an allowed network, or ask an admin", Admin: true},

	// The service.
	{Error: "temporarily_unavailable", What: "the sign-in service is out of order for the moment", Do: "wait a few minutes", Wait: true, kind: Unreachable},
	{Error: "server_error", What: "the sign-in service has failed", Do: "wait a few minutes, then try again", Wait: true, kind: Unreachable},
	{Error: "invalid_request", What: "the sign-in service does not understand the request", Do: "check client_id, subject and token_url"},
	{What: "the sign-in service refused the request", Do: "check client_id, client_secret and the app's configuration in the developer console"},
})
