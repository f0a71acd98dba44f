package entra

import (
	"slices"
	"strings"
)

// texts are what Entra says with a number, {…} being what the answer fills in (reference-error-codes.md and answers that
// people have posted).
var texts = map[int]string{
	16000:   "Either multiple user identities are available for the current request or selected account is not supported for the scenario.",
	28000:   "Provided value for the input parameter scope is not valid because it contains more than one resource. Scope {scope} is not valid.",
	28002:   "Provided value for the input parameter scope '{scope}' is not valid when requesting an access token. Please specify a valid scope.",
	28003:   "Provided value for the input parameter scope cannot be empty when requesting an access token using the provided authorization code. Please specify a valid scope.",
	50011:   "The redirect URI '{uri}' specified in the request does not match the redirect URIs configured for the application '{app}'. Make sure the redirect URI sent in the request matches one added to your application in the Azure portal. Navigate to https://aka.ms/redirectUriMismatchError to learn more about how to troubleshoot this error.",
	50012:   "Authentication failed.",
	50013:   "Assertion failed signature validation.",
	50020:   "User account '{name}' from identity provider '{idp}' does not exist in tenant '{tenant}' and cannot access the application '{app}'({appname}) in that tenant. The account needs to be added as an external user in the tenant first. Sign out and sign in again with a different Azure Active Directory user account.",
	50027:   "Invalid JWT token. No certificate thumbprint specified in token header.",
	50033:   "A transient error has occurred. Please try again.",
	50034:   "The user account {name} does not exist in the {tenant} directory. To sign into this application, the account must be added to the directory.",
	50048:   "Subject mismatches Issuer claim in the client assertion.",
	50053:   "The account is locked, you've tried to sign in too many times with an incorrect user ID or password.",
	50055:   "The password is expired.",
	50056:   "Invalid or null password: password does not exist in the directory for this user.",
	50057:   "The user account is disabled.",
	50058:   "A silent sign-in request was sent but no user is signed in.",
	50059:   "No tenant-identifying information found in either the request or implied by any provided credentials.",
	50072:   "Due to a configuration change made by your administrator, or because you moved to a new location, you must enroll in multi-factor authentication to access '{resource}'.",
	50074:   "Strong Authentication is required.",
	50076:   "Due to a configuration change made by your administrator, or because you moved to a new location, you must use multi-factor authentication to access '{resource}'.",
	50078:   "Presented multi-factor authentication has expired due to policies configured by your administrator, you must refresh your multi-factor authentication to access '{resource}'.",
	50079:   "Due to a configuration change made by your administrator, or because you moved to a new location, you must enroll in multi-factor authentication to access '{resource}'.",
	50087:   "A transient error has occurred during strong authentication. Please try again.",
	50089:   "Flow token expired - Authentication Failed. Please sign in again.",
	50097:   "Device authentication is required.",
	50105:   "Your administrator has configured the application {appname} ('{app}') to block users unless they are specifically granted ('assigned') access to the application. The signed-in user '{name}' is blocked because they are not a direct member of a group with access, nor had access directly assigned by an administrator. Please contact your administrator to assign access to this application.",
	50126:   "Error validating credentials due to invalid username or password.",
	50128:   "Invalid domain name - No tenant-identifying information found in either the request or implied by any provided credentials.",
	50131:   "Device is not in required device state: {state}. Or, the request was blocked due to suspicious activity, access policy, or security policy decisions.",
	50132:   "The session is not valid due to the following reasons: password expiration or recent password change, SSO Artifact is invalid or expired, session is not fresh enough for application.",
	50133:   "The session is not valid due to password expiration or recent password change.",
	50134:   "Wrong data center. To authorize a request that was initiated by an app in the OAuth 2.0 device flow, the authorizing party must be in the same data center where the original request resides.",
	50140:   "This error occurred due to 'Keep me signed in' interrupt when the user was signing-in.",
	50144:   "The user's Active Directory password has expired.",
	50147:   "The size of the Code_Challenge parameter is not valid.",
	50158:   "External security challenge not satisfied. User will be redirected to another page or authentication provider to satisfy additional authentication challenges.",
	50173:   "The provided grant has expired due to it being revoked, a fresh auth token is needed. The user might have changed or reset their password.",
	50194:   "Application '{app}'({appname}) is not configured as a multi-tenant application. Usage of the /common endpoint is not supported for such apps created after '10/15/2018'. Use a tenant-specific endpoint or configure the application to be multi-tenant.",
	50196:   "The server terminated an operation because it encountered a client request loop. Please contact your app vendor.",
	51004:   "The user account {name} does not exist in the {tenant} directory. To sign into this application, the account must be added to the directory.",
	53000:   "Device is not in required device state: compliant. Conditional Access policy requires a compliant device, and the device is not compliant. The user must enroll their device with an approved MDM provider like Intune.",
	53001:   "Device is not in required device state: domain_joined. Conditional Access policy requires a domain joined device, and the device is not domain joined.",
	53002:   "The app used is not an approved app for Conditional Access. User needs to use one of the apps from the list of approved apps to use in order to get access.",
	53003:   "Access has been blocked by Conditional Access policies. The access policy does not allow token issuance.",
	53004:   "User needs to complete the multi-factor authentication registration process before accessing this content.",
	53011:   "User blocked due to risk on home tenant.",
	54005:   "OAuth2 Authorization code was already redeemed, please retry with a new valid code or use an existing refresh token.",
	65001:   "The user or administrator has not consented to use the application with ID '{app}' named '{appname}'. Send an interactive authorization request for this user and resource.",
	65004:   "User declined to consent to access the app.",
	65005:   "The application required resource access list does not contain applications discoverable by the resource or the resource access list is misconfigured.",
	70000:   "Provided grant is invalid or malformed.",
	70001:   "The application '{app}' is disabled.",
	70003:   "The app requested an unsupported grant type.",
	70005:   "The provided value for the input parameter 'response_type' isn't valid. Expected a value of 'code'.",
	70007:   "'{mode}' is not a supported value of 'response_mode' when requesting a token.",
	70008:   "The provided authorization code or refresh token has expired due to inactivity. Send a new interactive authorization request for this user and resource.",
	70011:   "The provided request must include a 'scope' input parameter. The provided value for the input parameter 'scope' is not valid. The scope {scope} is not valid.",
	70016:   "OAuth 2.0 device flow error. Authorization is pending. Continue polling.",
	70018:   "Invalid verification code due to User typing in wrong user code for device code flow. Authorization is not approved.",
	70019:   "Verification code expired. Have the user retry the sign-in.",
	70020:   "The provided value for the input parameter 'device_code' is not valid. This device code has expired.",
	70043:   "The refresh token has expired or is invalid due to sign-in frequency checks by conditional access.",
	90002:   "Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID and are signing into the correct cloud. This may happen if there are no active subscriptions for the tenant.",
	90005:   "Unable to complete the request. The request is not valid because the identifier and login hint can't be used together.",
	90014:   "The required field '{name}' is missing from the credential. Ensure that you have all the necessary parameters for the login request.",
	90019:   "No tenant-identifying information found in either the request or implied by any provided credentials.",
	90023:   "Invalid request: Unsupported 'prompt' value.",
	90038:   "Tenant '{tenant}' request is being redirected to the National Cloud 'MicrosoftOnline.US'.",
	90055:   "There are too many incoming requests. Please try again later.",
	90094:   "{appname} needs permission to access resources in your organization that only an admin can grant. Please ask an admin to grant permission to this app before you can use it.",
	90095:   "Admin consent is required. A request for approval can be sent to an administrator.",
	90119:   "User code is null or empty.",
	90120:   "The device code was already authorized or declined.",
	165000:  "Invalid Request: The request tokens do not match the user context. Do not copy the user context values (cookies; form fields; headers) between different requests or user sessions; always maintain the ALL of the supplied values across a complete single user flow. Failure Reasons:[Token values do not match;]",
	500112:  "The reply address '{uri}' does not match the reply address '{wanted}' provided when requesting Authorization code.",
	500212:  "The user's administrator has set an outbound access policy that does not allow access to the resource tenant.",
	500213:  "The resource tenant's cross-tenant access policy does not allow this user to access this tenant.",
	501481:  "The Code_Verifier does not match the code_challenge supplied in the authorization request.",
	501491:  "Invalid size of Code_Challenge parameter.",
	530035:  "Access has been blocked by security defaults.",
	650052:  "The app is trying to access a service '{resource}' that your organization '{tenant}' lacks a service principal for. Contact your IT Admin to review the configuration of your service subscriptions.",
	650056:  "Misconfigured application. This could be due to one of the following: the client has not listed any permissions for '{resource}' in the requested permissions in the client's application registration. Or, the admin has not consented in the tenant. Please contact your admin to fix the configuration or consent on behalf of the tenant.",
	650057:  "Invalid resource. The client has requested access to a resource which is not listed in the requested permissions in the client's application registration. Client app ID: {app}({appname}).",
	700005:  "Provided Authorization Code is intended to use against other tenant, thus rejected. OAuth2 Authorization Code must be redeemed against same tenant it was acquired for (/common or /{tenant-ID} as appropriate).",
	700011:  "Application with identifier {app} was not found in the directory {tenant}.",
	700021:  "Client assertion application identifier doesn't match 'client_id' parameter.",
	700023:  "Client assertion audience claim does not match Realm issuer. Review the documentation at https://learn.microsoft.com/entra/identity-platform/certificate-credentials .",
	700024:  "Client assertion is not within its valid time range. Current time: {now}, assertion valid from {from}, expiry time of assertion {until}. Review the documentation at https://learn.microsoft.com/entra/identity-platform/certificate-credentials .",
	700025:  "Client is public so neither 'client_assertion' nor 'client_secret' should be presented.",
	700027:  "Client assertion failed signature validation. [Reason - {reason}]",
	700030:  "Invalid certificate - subject name in certificate is not authorized.",
	700054:  "response_type 'id_token' is not enabled for the application.",
	700082:  "The refresh token has expired due to inactivity.",
	700084:  "The refresh token was issued to a single page app (SPA), and therefore has a fixed, limited lifetime of 1.00:00:00, which cannot be extended. It is now expired and a new sign in request must be sent by the SPA to the sign in page.",
	900144:  "The request body must contain the following parameter: '{name}'.",
	900971:  "No reply address provided.",
	1002012: "The provided value for scope {scope} is not valid. Client credential flows must have a scope value with /.default suffixed to the resource identifier (application ID URI).",
	7000112: "Application '{app}'({appname}) is disabled.",
	7000215: "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID, for a secret added to app '{app}'.",
	7000218: "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.",
	7000222: "The provided client secret keys for app '{app}' are expired. Visit the Azure portal to create new keys for your app: https://aka.ms/NewClientSecret, or consider using certificate credentials for added security: https://aka.ms/certCreds.",
	9002313: "Invalid request. Request is malformed or invalid.",
	9002325: "Proof Key for Code Exchange is required for cross-origin authorization code redemption.",
	9002332: "Application '{app}'({appname}) is configured for use by Azure Active Directory users only. Please do not use the /consumers endpoint to serve this request.",
}

// classes give the OAuth error of a number; what is not listed is invalid_grant.
var classes = map[string][]int{
	"invalid_request": {28000, 28002, 28003, 50011, 50059, 50128, 50194, 90002, 90005, 90014, 90019, 90023, 90038, 900144, 900971, 9002313,
		50147, 501491, 70007, 90119, 9002325},
	"invalid_client": {50012, 50013, 50027, 50048, 500112, 650053, 700021, 700023, 700024, 700025, 700027, 700030, 7000215, 7000218, 7000222,
		650052, 650056},
	"unauthorized_client":       {700011, 700016, 70001, 7000112, 9002332},
	"unsupported_grant_type":    {70003},
	"unsupported_response_type": {70005, 700054},
	"invalid_scope":             {70011, 1002012},
	"invalid_resource":          {500011, 650057, 65005},
	"interaction_required":      {16000, 50020, 50072, 50074, 50076, 50078, 50079, 50097, 50105, 50131, 50158, 53000, 53001, 53002, 53003, 53004, 53011, 530035, 500212, 500213, 51004},
	"login_required":            {50058},
	"temporarily_unavailable":   {50033, 50087, 90055},
	"authorization_pending":     {70016},
	"authorization_declined":    {65004},
	"bad_verification_code":     {70018},
	"expired_token":             {70019, 70020},
}

// suberrors as seen in answers.
var suberrors = map[string][]int{
	"bad_token":        {50173, 70043, 700082, 700084, 9002313},
	"basic_action":     {50072, 50074, 50076, 50078, 50079},
	"consent_required": {65001},
}

// say gives the failure of a number, with values by name in pairs for what its text leaves open.
func say(code int, values ...string) *failure {
	text, ok := texts[code]
	if !ok {
		text = "An error occurred while processing the request."
	}
	pairs := make([]string, len(values))
	for i, v := range values {
		if i%2 == 0 {
			v = "{" + v + "}"
		}
		pairs[i] = v
	}
	return &failure{lookUp(classes, code, "invalid_grant"), code, strings.NewReplacer(pairs...).Replace(text), lookUp(suberrors, code, "")}
}

func lookUp(table map[string][]int, code int, none string) string {
	for name, codes := range table {
		if slices.Contains(codes, code) {
			return name
		}
	}
	return none
}

// as changes the OAuth error, for numbers that come with several.
func (f *failure) as(code string) *failure {
	f.code = code
	return f
}

// reword replaces the text, for numbers that come with several.
func (f *failure) reword(text string) *failure {
	f.text = text
	return f
}

func (f *failure) app(a *App) *failure {
	f.text = strings.NewReplacer("{app}", a.ID, "{appname}", a.Name).Replace(f.text)
	return f
}
