package drive

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/workfs/workfs/backends/sim/core"
)

// downloadLife is how long a pre-authenticated URL works: "about an hour" (Graph documentation, driveItem).
const downloadLife = time.Hour

// downloadURL gives a pre-authenticated URL on the download host; version 0 is the current one. Within a minute it is the
// same.
func (s *Service) downloadURL(d *Drive, it *Item, version int) string {
	site, err := url.Parse(d.SiteURL)
	if err != nil {
		panic("site without a URL: " + err.Error())
	}
	expires := s.world.Clock.Now().Truncate(time.Minute).Add(downloadLife)
	q := url.Values{"UniqueId": {it.GUID}, "Translate": {"false"}, "tempauth": {s.ticket(it.GUID, version, expires)}, "ApiVersion": {"2.0"}}
	return s.world.Hosts.DriveDownload + site.EscapedPath() + "/_layouts/15/download.aspx?" + q.Encode()
}

// ticket signs what a download URL allows.
func (s *Service) ticket(guid string, version int, expires time.Time) string {
	payload := fmt.Sprintf("%s|%d|%d", guid, version, expires.Unix())
	mac := hmac.New(sha256.New, s.key[:])
	mac.Write([]byte(payload))
	return "v1." + base64.RawURLEncoding.EncodeToString([]byte(payload)) + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// redeem checks a ticket and gives what it allows.
func (s *Service) redeem(ticket string) (guid string, version int, ok bool) {
	parts := strings.Split(ticket, ".")
	if len(parts) != 3 {
		return "", 0, false
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return "", 0, false
	}
	fields := strings.Split(string(payload), "|")
	if len(fields) != 3 {
		return "", 0, false
	}
	version, err1 := strconv.Atoi(fields[1])
	unix, err2 := strconv.ParseInt(fields[2], 10, 64)
	expires := time.Unix(unix, 0)
	if err1 != nil || err2 != nil || !hmac.Equal([]byte(s.ticket(fields[0], version, expires)), []byte(ticket)) ||
		!s.world.Clock.Now().Before(expires) {
		return "", 0, false
	}
	return fields[0], version, true
}

// newDownloads makes the host that gives out bytes.
func (s *Service) newDownloads() *core.Router {
	rt := core.NewRouter(s.world, core.HostDriveDownload)
	rt.Refuse = true
	rt.Handle("GET /{kind}/{site}/_layouts/15/download.aspx", s.download)
	return rt
}

func (s *Service) download(r *core.Request) {
	guid, version, ok := s.redeem(r.URL.Query().Get("tempauth"))
	if !ok {
		r.W.WriteHeader(s.world.Switches.Int(switchExpiredStatus))
		return
	}
	s.Store.mu.RLock()
	it := s.Store.byGUID[strings.ToLower(guid)]
	var content Content
	var contentType, name, tag string
	var modified time.Time
	if it != nil {
		content, contentType, name, tag, modified = it.Content, it.ContentType, it.Name, it.eTag(), it.Modified
		if old := it.older(version); old != nil {
			content, modified = old.Content, old.Modified
		}
	}
	s.Store.mu.RUnlock()
	if content == nil {
		r.W.WriteHeader(http.StatusNotFound)
		return
	}
	h := r.W.Header()
	h.Set("Content-Type", contentType)
	h.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": name}))
	h.Set("ETag", tag)
	if r.Request.Header.Get("Range") != "" && s.ignoresRange() {
		h.Set("Content-Length", strconv.FormatInt(content.Size(), 10))
		_, _ = io.Copy(r.W, io.NewSectionReader(content, 0, content.Size()))
		return
	}
	http.ServeContent(r.W, r.Request, "", modified, io.NewSectionReader(content, 0, content.Size()))
}

// ignoresRange spreads the wanted share of answers that ignore Range evenly.
func (s *Service) ignoresRange() bool {
	percent := int64(s.world.Switches.Int(switchIgnoreRange))
	n := s.ranges.Add(1)
	return n*percent/100 != (n-1)*percent/100
}

// older is an earlier version by number; nil is the current one.
func (it *Item) older(number int) *Version {
	for _, v := range it.Older {
		if v.Number == number {
			return v
		}
	}
	return nil
}
