package box

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"
)

func (s *Server) fileRoutes() {
	s.handle("GET /files/{file}", scopeRead, func(c *call) error { return c.getItem(fileKind, c.Param("file")) })
	s.handle("PUT /files/{file}", scopeWrite, func(c *call) error { return c.updateItem(fileKind, c.Param("file")) })
	s.handle("DELETE /files/{file}", scopeWrite, func(c *call) error { return c.trashItem(fileKind, c.Param("file")) })
	s.handle("POST /files/{file}/copy", scopeWrite, func(c *call) error { return c.copyItem(fileKind, c.Param("file")) })
	s.handle("GET /files/{file}/content", scopeRead, (*call).redirectToContent)
	s.handle("GET /files/{file}/versions", scopeRead, (*call).listVersions)
	s.handle("GET /files/{file}/versions/{version}", scopeRead, (*call).getVersion)
	s.handle("POST /files/{file}/versions/current", scopeWrite, (*call).promoteVersion)
	s.handle("DELETE /files/{file}/versions/{version}", scopeWrite, (*call).trashVersion)
	s.handle("GET /web_links/{link}", scopeRead, func(c *call) error { return c.getItem(linkKind, c.Param("link")) })
	s.handle("POST /web_links", scopeWrite, (*call).createLink)
	s.handle("PUT /web_links/{link}", scopeWrite, func(c *call) error { return c.updateItem(linkKind, c.Param("link")) })
	s.handle("DELETE /web_links/{link}", scopeWrite, func(c *call) error { return c.trashItem(linkKind, c.Param("link")) })
}

// ticket is what a download URL stands for.
type ticket struct {
	File    uint64 `json:"f"`
	Version uint64 `json:"v"`
	User    uint64 `json:"u"`
	Expires int64  `json:"e"` // Unix seconds of the virtual clock
}

// redirectToContent answers with a URL on the download host that authenticates itself.
func (c *call) redirectToContent() error {
	c.s.store.mu.Lock()
	it, a, err := c.file()
	if err == nil {
		err = c.v.mayDownload(it, a, c.now)
	}
	var v *version
	if err == nil {
		v, err = c.wantedVersion(it)
	}
	pending := false
	if err == nil && it.pending > 0 && v == it.current() {
		it.pending--
		pending = true
	}
	if err == nil && !pending {
		c.after(ActionDownload, it).version = v
		c.tell()
	}
	c.s.store.mu.Unlock()
	if err != nil {
		return err
	}
	if pending {
		c.W.Header().Set("Retry-After", "1")
		c.W.WriteHeader(http.StatusAccepted)
		return nil
	}
	life := time.Duration(c.s.w.Switches.Int("box.download_seconds")) * time.Second
	payload, err := json.Marshal(ticket{it.num, v.num, c.v.user.num, c.now.Add(life).Unix()})
	if err != nil {
		return err
	}
	c.W.Header().Set("Location", c.World.Hosts.BoxDownload+"/d/1/"+c.s.sign(payload)+"/download")
	c.W.WriteHeader(http.StatusFound)
	return nil
}

// wantedVersion is what the parameter "version" names, the current one by default.
func (c *call) wantedVersion(it *item) (*version, error) {
	text := c.URL.Query().Get("version")
	if text == "" {
		return it.current(), nil
	}
	return c.versionOf(it, text)
}

func (c *call) versionOf(it *item, text string) (*version, error) {
	num, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return nil, errMethod()
	}
	for _, v := range it.versions {
		if v.num == num && v.trashed.IsZero() {
			return v, nil
		}
	}
	return nil, fail(http.StatusNotFound, "not_found", "Not Found")
}

func (c *call) showVersion(it *item, v *version) object {
	var status any
	if !v.trashed.IsZero() {
		status = stamp(v.trashed, it.num)
	}
	o := object{
		{"type", "file_version"}, {"id", numeral(v.num)}, {"sha1", sha1Of(v)}, {"name", v.name}, {"size", v.content.size()},
		{"created_at", stamp(v.created, it.num)}, {"modified_at", stamp(v.modified, it.num)}, {"modified_by", miniOrNil(v.by)},
		{"trashed_at", status}, {"trashed_by", nil}, {"restored_at", nil}, {"restored_by", nil}, {"purged_at", nil},
		{"uploader_display_name", uploader(it)},
	}
	for _, f := range c.fields {
		if f == "version_number" {
			for i, have := range it.versions {
				if have == v {
					o = append(o, member{f, strconv.Itoa(i + 1)})
				}
			}
		}
	}
	return o
}

// listVersions lists past versions, newest first; the current one is not among them.
func (c *call) listVersions() error {
	p, err := c.paging(highestLimit, highestLimit, 10000)
	if err != nil {
		return err
	}
	return c.reading(func() (any, error) {
		it, _, err := c.file()
		if err != nil {
			return nil, err
		}
		var past []*version
		for i := len(it.versions) - 2; i >= 0; i-- {
			past = append(past, it.versions[i])
		}
		return byOffset(p, past, nil, func(v *version) object { return c.showVersion(it, v) }), nil
	})
}

func (c *call) getVersion() error {
	return c.reading(func() (any, error) {
		it, _, err := c.file()
		if err != nil {
			return nil, err
		}
		v, err := c.versionOf(it, c.Param("version"))
		if err != nil {
			return nil, err
		}
		return c.showVersion(it, v), nil
	})
}

// promoteVersion makes a copy of a past version the current one.
func (c *call) promoteVersion() error {
	var in struct {
		ID string `json:"id"`
	}
	if err := c.body(&in); err != nil {
		return err
	}
	return c.writing(http.StatusCreated, func() (any, error) {
		it, a, err := c.file()
		if err != nil {
			return nil, err
		}
		old, err := c.versionOf(it, in.ID)
		if err != nil {
			return nil, err
		}
		if err := c.mayChange(it, a, "edit"); err != nil {
			return nil, err
		}
		v := c.s.store.addVersion(it, c.s.store.fresh("promoted"), old.content, c.v.user, c.now, c.now)
		it.touch(c.v.user, c.now)
		it.contentModified = c.now
		c.after(ActionPromote, it).version = v
		return c.showVersion(it, v), nil
	})
}

func (c *call) trashVersion() error {
	return c.writing(http.StatusNoContent, func() (any, error) {
		it, a, err := c.file()
		if err != nil {
			return nil, err
		}
		v, err := c.versionOf(it, c.Param("version"))
		if err != nil {
			return nil, err
		}
		if v == it.current() {
			return nil, errForbidden()
		}
		if err := c.mayChange(it, a, "edit"); err != nil {
			return nil, err
		}
		v.trashed = c.now
		return nil, nil
	})
}
