package box

import (
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"mime/multipart"
	"net/http"
	"strings"
	"time"

	"github.com/workfs/workfs/backends/sim/core"
)

// largestUpload bounds one upload. Box wants sessions above 50 MB, so nothing real comes near it.
const largestUpload = 128 << 20

// uploadsPerMinute and user (guide "Rate limits").
const uploadsPerMinute = 240

func (s *Server) uploadRoutes() {
	// Uploads go to a host of their own at Box, where the path has "/api" in front.
	for _, base := range []string{"/2.0", "/api/2.0"} {
		s.api.Handle("POST "+base+"/files/content", func(r *core.Request) { s.serve(r, scopeWrite, (*call).uploadFile) })
		s.api.Handle("OPTIONS "+base+"/files/content", func(r *core.Request) { s.serve(r, scopeWrite, (*call).preflight) })
		s.api.Handle("POST "+base+"/files/{file}/content", func(r *core.Request) { s.serve(r, scopeWrite, (*call).uploadVersion) })
	}
}

type attributes struct {
	Name            string    `json:"name"`
	Parent          reference `json:"parent"`
	ContentCreated  time.Time `json:"content_created_at"`
	ContentModified time.Time `json:"content_modified_at"`
}

// upload reads the multipart body: the part "attributes", if there is one, must come before the file. Only a new version
// can do without.
func (c *call) upload(needsAttributes bool) (attributes, []byte, error) {
	var attr attributes
	if err := c.limit(core.Quota{Name: "box uploads per user", Key: c.v.user.id(), Limit: uploadsPerMinute, Per: time.Minute}); err != nil {
		return attr, nil, err
	}
	c.Body = http.MaxBytesReader(c.W, c.Body, largestUpload)
	parts, err := c.MultipartReader()
	if err != nil {
		return attr, nil, fail(http.StatusUnsupportedMediaType, "unsupported_media_type", "Unsupported Media Type")
	}
	seen := !needsAttributes
	for {
		part, err := parts.NextPart()
		if err != nil {
			return attr, nil, fail(http.StatusBadRequest, "bad_request", "The parts attributes and file are required, in this order")
		}
		switch {
		case part.FormName() == "attributes":
			if err := json.NewDecoder(io.LimitReader(part, 64<<10)).Decode(&attr); err != nil {
				return attr, nil, fail(http.StatusBadRequest, "bad_request", "Could not parse attributes")
			}
			seen = true
		case part.FileName() != "" || part.FormName() == "file": // the SDKs disagree on the name
			if !seen {
				return attr, nil, fail(http.StatusBadRequest, "metadata_after_file_contents", "The part attributes must come before the part file")
			}
			data, err := c.uploadBytes(part)
			return attr, data, err
		}
	}
}

func (c *call) uploadBytes(part *multipart.Part) ([]byte, error) {
	data, err := io.ReadAll(part)
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return nil, fail(http.StatusRequestEntityTooLarge, "storage_limit_exceeded", "File too large")
	}
	if err != nil {
		return nil, fail(http.StatusBadRequest, "bad_request", "Incomplete body")
	}
	// Despite its name this header holds a SHA-1 (API reference, "Upload file").
	if want := c.Header.Get("Content-MD5"); want != "" {
		sum := sha1.Sum(data)
		if !strings.EqualFold(want, hex.EncodeToString(sum[:])) {
			return nil, errPrecondition()
		}
	}
	return data, nil
}

// uploaded answers an upload: a collection of one file.
func (c *call) uploaded(it *item) object {
	return object{{"total_count", 1}, {"entries", []object{c.show(it, c.v.look(it), standard)}}}
}

func (c *call) uploadFile() error {
	attr, data, err := c.upload(true)
	if err != nil {
		return err
	}
	return c.writing(http.StatusCreated, func() (any, error) {
		dir, err := c.target(attr.Parent.ID, attr.Name)
		if err != nil {
			return nil, err
		}
		it := c.s.store.newItem(fileKind, c.s.store.fresh("upload"), attr.Name, dir, c.v.user, c.now)
		c.setContentTimes(it, attr)
		v := c.s.store.addVersion(it, c.s.store.fresh("upload version"), newMemory(data), c.v.user, c.now, c.now)
		it.pending = c.s.w.Switches.Int("box.upload_pending")
		c.s.store.put(it)
		c.after(ActionUpload, it).version = v
		return c.uploaded(it), nil
	})
}

func (c *call) setContentTimes(it *item, attr attributes) {
	if !attr.ContentCreated.IsZero() {
		it.contentCreated = attr.ContentCreated
	}
	if !attr.ContentModified.IsZero() {
		it.contentModified = attr.ContentModified
	}
}

func (c *call) uploadVersion() error {
	attr, data, err := c.upload(false)
	if err != nil {
		return err
	}
	return c.writing(http.StatusCreated, func() (any, error) {
		it, a, err := c.file()
		if err != nil {
			return nil, err
		}
		if err := c.mayChange(it, a, "edit"); err != nil {
			return nil, err
		}
		if attr.Name != "" && attr.Name != it.name {
			if err := c.relocate(it, it.parent, attr.Name); err != nil {
				return nil, err
			}
		}
		v := c.s.store.addVersion(it, c.s.store.fresh("upload version"), newMemory(data), c.v.user, c.now, c.now)
		it.touch(c.v.user, c.now)
		it.contentModified = c.now
		c.setContentTimes(it, attr)
		it.pending = c.s.w.Switches.Int("box.upload_pending")
		c.after(ActionUpload, it).version = v
		return c.uploaded(it), nil
	})
}

// preflight tells whether an upload would work. A name that is taken gives the item that has it.
func (c *call) preflight() error {
	var in struct {
		Name   string    `json:"name"`
		Parent reference `json:"parent"`
	}
	if err := c.body(&in); err != nil {
		return err
	}
	return c.reading(func() (any, error) {
		if _, err := c.target(in.Parent.ID, in.Name); err != nil {
			return nil, err
		}
		return object{{"upload_url", c.World.Hosts.BoxAPI + "/api/2.0/files/content"}, {"upload_token", nil}}, nil
	})
}
