package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/backends/all"
)

// checkHosts tells whether the hosts of a connection are reached, by which way, and whether they share our time.
func checkHosts(ctx context.Context, _ *examination, c backends.Connection) (list []finding) {
	transport, err := all.Transport(c)
	if err != nil {
		return []finding{{"network", c.Name, findingProblem, err.Error(), "Nothing of the connection is reached", "mend that key of the connection"}}
	}
	for _, base := range hostsOf(c) {
		list = append(list, checkHost(ctx, transport, base)...)
	}
	return list
}

// hostsOf gives the addresses that a connection needs, each host once.
func hostsOf(c backends.Connection) []string {
	wanted := []string{cmp.Or(c.LoginURL, "https://login.microsoftonline.com"), cmp.Or(c.GraphURL, "https://graph.microsoft.com")}
	if c.Type == "box" {
		api := cmp.Or(c.APIURL, "https://api.box.com")
		wanted = []string{api, cmp.Or(c.TokenURL, api)}
	}
	var list []string
	for _, address := range wanted {
		u, err := url.Parse(address)
		if err != nil || u.Host == "" {
			continue // opening the connection tells
		}
		if base := u.Scheme + "://" + u.Host; !slices.Contains(list, base) {
			list = append(list, base)
		}
	}
	return list
}

// checkHost asks a host for anything: that it answers is all that is wanted.
func checkHost(ctx context.Context, transport http.RoundTripper, base string) (list []finding) {
	const why = "Nothing of the connection is reached"
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"/", nil)
	if err != nil {
		return []finding{{"network", base, findingProblem, "the address can't be used", why, "mend the connection's addresses"}}
	}
	req.Header.Set("User-Agent", userAgent())
	host := req.URL.Hostname()
	proxy, err := http.ProxyFromEnvironment(req)
	switch {
	case err != nil:
		return []finding{{"proxy", host, findingProblem, "HTTPS_PROXY or HTTP_PROXY is no address", why, "set it to http://HOST:PORT, or unset it"}}
	case proxy != nil:
		proxy.User = nil // who it lets through is a secret
		list = append(list, good("proxy", host, "requests go through "+proxy.String())...)
	case net.ParseIP(host) == nil:
		if _, err := net.DefaultResolver.LookupHost(ctx, host); err != nil {
			return append(list, finding{"dns", host, findingProblem, "its name is not found: " + err.Error(), why,
				"see that this machine has a network and a name server (getent hosts " + host + ")"})
		}
	}
	asked := time.Now()
	res, err := transport.RoundTrip(req)
	if err != nil {
		return append(list, hostFinding(host, proxy, err))
	}
	_ = res.Body.Close() // nothing of it is wanted
	if res.TLS != nil && len(res.TLS.PeerCertificates) > 0 {
		list = append(list, certificateFinding(host, res.TLS))
	} else {
		list = append(list, good("network", host, "it answers")...)
	}
	if date, err := http.ParseTime(res.Header.Get("Date")); err == nil {
		list = append(list, skewFinding(host, date.Sub(asked.Add(time.Since(asked)/2))))
	}
	return list
}

// hostFinding tells why a host does not answer.
func hostFinding(host string, proxy *url.URL, err error) finding {
	f := finding{Check: "network", About: host, State: findingProblem, What: "it does not answer: " + plainError(err), Why: "Nothing of the connection is reached",
		Do: "see that this machine has a network, and whether a firewall wants a proxy (HTTPS_PROXY)"}
	if proxy != nil {
		f.Do = "see whether the proxy is the right one and lets " + host + " through"
	}
	var authority x509.UnknownAuthorityError
	var invalid x509.CertificateInvalidError
	var name x509.HostnameError
	switch {
	case errors.As(err, &authority):
		issuer := "somebody"
		if authority.Cert != nil {
			issuer = authority.Cert.Issuer.String()
		}
		f.Check, f.What = "tls", "its certificate is by "+issuer+", whom this machine does not trust"
		f.Why = "Either a proxy of your organisation reads all traffic, or somebody else wants to"
		f.Do = "ask your administrator for the proxy's certificate and name it by ca_file, if it is theirs"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		f.Check, f.What = "tls", "its certificate is out of date, or the clock of this machine is wrong: it shows "+time.Now().Format(time.RFC3339)
		f.Do = "set the clock (timedatectl set-ntp true)"
	case errors.As(err, &name):
		f.Check, f.What = "tls", "its certificate is another host's: "+name.Error()
		f.Why, f.Do = "Somebody stands between, as networks with a sign-in page do", "sign in to the network with a browser, and see whether a proxy is needed"
	}
	return f
}

// publicAuthorities are issuers of certificates of public services. That the services that we ask are among their customers
// is a guess; so another one makes no problem, only a warning.
var publicAuthorities = []string{
	"DigiCert", "Microsoft Corporation", "GlobalSign", "Google Trust Services", "Let's Encrypt", "Amazon", "Sectigo", "Entrust", "GoDaddy", "IdenTrust",
}

// certificateFinding tells whose certificate a host has shown.
func certificateFinding(host string, state *tls.ConnectionState) finding {
	leaf := state.PeerCertificates[0]
	issuer := cmp.Or(strings.Join(leaf.Issuer.Organization, ", "), leaf.Issuer.CommonName)
	f := finding{Check: "tls", About: host, State: findingOK,
		What: fmt.Sprintf("it answers, its certificate is by %s and lasts until %s", issuer, leaf.NotAfter.Local().Format(time.DateOnly))}
	public := slices.ContainsFunc(publicAuthorities, func(a string) bool { return strings.Contains(issuer, a) })
	if !public && publicService(host) {
		f.State, f.What = findingWarning, "its certificate is by "+issuer+", who issues none for public services as far as we know"
		f.Why, f.Do = "A proxy of your organisation, or somebody else, can read all that is fetched, tokens too", "ask your administrator whether that is intended"
	}
	return f
}

// publicService tells whether a host is one of the services', not one of our own.
func publicService(host string) bool {
	for _, domain := range []string{"microsoftonline.com", "microsoftonline.us", "microsoft.com", "microsoft.us", "chinacloudapi.cn", "box.com"} {
		if strings.HasSuffix(host, "."+domain) {
			return true
		}
	}
	return false
}

const (
	// skewWarn and skewProblem are how far clocks may differ. Signed assertions are good for minutes only, and Entra and Box
	// refuse those from the future.
	skewWarn    = 2 * time.Minute
	skewProblem = 5 * time.Minute
)

// skewFinding tells how far the clock of this machine is from a service's.
func skewFinding(host string, ahead time.Duration) finding {
	f := finding{Check: "clock", About: host, State: findingOK, What: "the clock of this machine agrees"}
	off, word := ahead, "behind"
	if off < 0 {
		off, word = -off, "ahead"
	}
	if off <= skewWarn {
		return f
	}
	f.State = findingWarning
	if off > skewProblem {
		f.State = findingProblem
	}
	f.What = fmt.Sprintf("the clock of this machine is %s %s", span(off.Round(time.Second)), word)
	f.Why, f.Do = "Tokens end too early or too late, and signed sign-ins are refused", "set it, and keep it right (timedatectl set-ntp true)"
	return f
}

// plainError leaves the address out of an error of a request: another part of the text has it.
func plainError(err error) string {
	var in *url.Error
	if errors.As(err, &in) {
		err = in.Err
	}
	return err.Error()
}
