package subscription

import (
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
)

// maxAnswer bounds what is read of a receiver's answer.
const maxAnswer = 64 << 10

// validate asks a receiver's address to repeat a token (change-notifications-delivery-webhooks.md, "notificationUrl
// validation"). It holds no lock.
func (s *Service) validate(ctx context.Context, address string) *refusal {
	failed := "Subscription validation request failed. Notification endpoint must respond with 200 OK to validation request."
	// The words and their characters are those of an observed token.
	token := "Validation: Testing client application reachability for subscription Request-Id: " + newGUID()
	sep := "?"
	if strings.Contains(address, "?") {
		sep = "&"
	}
	ctx, cancel := context.WithTimeout(ctx, s.seconds(retryLimit))
	defer cancel()
	defer context.AfterFunc(s.ctx, cancel)()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address+sep+"validationToken="+url.QueryEscape(token), http.NoBody)
	if err != nil {
		return invalid(failed)
	}
	req.Header.Set("Content-Type", "text/plain; charset=utf-8")
	resp, err := s.client.Do(req)
	if err != nil {
		return unreachable(err, failed)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	switch {
	case err != nil:
		return unreachable(err, failed)
	case resp.StatusCode != http.StatusOK:
		return invalid(failed + " HTTP status code is '" + strings.ReplaceAll(http.StatusText(resp.StatusCode), " ", "") + "'.")
	case kind != "text/plain":
		return invalid("Subscription validation request failed. Response must have the content type text/plain.")
	case string(body) != token:
		return invalid("Subscription validation request failed. Response must exactly match validationToken query parameter.")
	}
	return nil
}

func unreachable(err error, failed string) *refusal {
	if errors.Is(err, context.DeadlineExceeded) {
		return invalid("Subscription validation request timed out.")
	}
	return invalid(failed)
}
