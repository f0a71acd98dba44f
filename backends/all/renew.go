package all

import (
	"context"
	"io"
	"net/http"

	"github.com/workfs/workfs/auth"
	"github.com/workfs/workfs/backends"
)

// ServeRenewal is auth.ServeRenewal with the transport of connections. Connection.RenewHelper is a program that calls it.
func ServeRenewal(ctx context.Context, in io.Reader, out io.Writer) error {
	return auth.ServeRenewal(ctx, in, out, func(caFile string) (http.RoundTripper, error) {
		return Transport(backends.Connection{CAFile: caFile})
	})
}
