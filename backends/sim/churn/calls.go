package churn

import (
	"bytes"
	"context"
	"encoding/json"
	"mime/multipart"

	"github.com/workfs/workfs/backends/sim"
)

// Client sends single requests to a simulator, for tests that choose the change. It is not safe for concurrent use.
type Client struct{ http *client }

// NewClient makes a Client for a simulator that is ready.
func NewClient(ready sim.Ready) *Client { return &Client{newClient(ready, Options{})} }

// Graph sends a request to a path of Graph as the application, with immutable ids, and gives the object of the answer, nil
// when there is none.
func (c *Client) Graph(ctx context.Context, method, path string, body any) (map[string]any, error) {
	return c.http.do(ctx, call{as: asApp, method: method, url: c.http.ready.Graph + "/v1.0" + path, body: body, extraHeaders: immutable})
}

// GraphAsAlice sends a request to a path of Graph as the signed-in person: Teams messages can be written by people only.
func (c *Client) GraphAsAlice(ctx context.Context, method, path string, body any) (map[string]any, error) {
	return c.http.do(ctx, call{as: asAlice, method: method, url: c.http.ready.Graph + "/v1.0" + path, body: body, extraHeaders: immutable})
}

// Box sends a request to a path of Box as alice and gives the object of the answer, nil when there is none.
func (c *Client) Box(ctx context.Context, method, path string, body any) (map[string]any, error) {
	return c.http.do(ctx, call{as: asBox, method: method, url: c.http.ready.BoxAPI + "/2.0" + path, body: body})
}

// Upload makes a file in a folder of Box, or with a file's id a new version of it, and gives the file.
func (c *Client) Upload(ctx context.Context, folder, name, id string, content []byte) (map[string]any, error) {
	path, attributes := "/api/2.0/files/content", object{"name": name, "parent": object{"id": folder}}
	if id != "" {
		path, attributes = "/api/2.0/files/"+id+"/content", object{"name": name}
	}
	return c.http.upload(ctx, path, attributes, content)
}

var immutable = [][2]string{{"Prefer", `IdType="ImmutableId"`}}

// upload sends a file with its attributes, if any, as a form, and gives the file that was made.
func (c *client) upload(ctx context.Context, path string, attributes object, content []byte) (object, error) {
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	if attributes != nil {
		data, err := json.Marshal(attributes)
		if err != nil {
			return nil, err
		}
		if err := form.WriteField("attributes", string(data)); err != nil {
			return nil, err
		}
	}
	part, err := form.CreateFormFile("file", "upload")
	if err != nil {
		return nil, err
	}
	if _, err := part.Write(content); err != nil {
		return nil, err
	}
	if err := form.Close(); err != nil {
		return nil, err
	}
	answer, err := c.do(ctx, call{as: asBox, method: "POST", url: c.ready.BoxAPI + path, body: body.Bytes(), contentType: form.FormDataContentType()})
	if err != nil {
		return nil, err
	}
	if entries := objects(answer["entries"]); len(entries) == 1 {
		return entries[0], nil
	}
	return answer, nil
}
