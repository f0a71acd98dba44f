package render

import (
	"encoding/json"
	"strings"
)

const (
	maxCardDepth = 30
	maxCardLines = 2000
)

// cardKeys are the members of a card that hold text or elements, in the order in which people see them.
var cardKeys = []string{"title", "subtitle", "summary", "activityTitle", "activitySubtitle", "activityText", "label", "text", "value", "altText",
	"inlines", "body", "items", "columns", "rows", "cells", "facts", "choices", "sections", "images", "content", "card", "actions", "buttons",
	"selectAction", "potentialAction", "url", "name", "code"}

// cardText gives the words of an adaptive, hero, thumbnail or other card, a line for each element, in the order of reading.
func cardText(content string) string {
	var v any
	if json.Unmarshal([]byte(content), &v) != nil {
		return ""
	}
	var c cardReader
	c.read(v, 0)
	return bodyText(strings.Join(c.lines, "\n"))
}

type cardReader struct{ lines []string }

func (c *cardReader) add(s string) {
	if s = bodyText(s); strings.TrimSpace(s) != "" && len(c.lines) < maxCardLines {
		c.lines = append(c.lines, s)
	}
}

func (c *cardReader) read(v any, depth int) {
	if depth > maxCardDepth {
		return
	}
	switch v := v.(type) {
	case string:
		c.add(plainCardText(v))
	case []any:
		for _, e := range v {
			c.read(e, depth+1)
		}
	case map[string]any:
		title, _ := v["title"].(string)
		value, _ := v["value"].(string)
		link, _ := v["url"].(string)
		kind, _ := v["type"].(string)
		switch {
		case kind == "Image":
			link = "" // pictures say what they say in altText
		case link == "" && (strings.EqualFold(kind, "openUrl") || kind == "Action.OpenUrl"):
			link, value = value, ""
		}
		if title != "" && value != "" {
			c.add(oneLine(title) + ": " + oneLine(value))
			title, value = "", ""
		} else if link = linkTarget(link); title != "" && link != "" {
			c.add(oneLine(title) + " <" + link + ">")
			title, link = "", ""
		}
		for _, key := range cardKeys {
			switch key {
			case "title":
				c.read(title, depth+1)
			case "value":
				c.read(value, depth+1)
			case "url":
				c.read(link, depth+1)
			case "name":
				if kind == "" && v["text"] == nil {
					if s, ok := v[key].(string); ok && v["value"] == nil {
						c.add(s)
					}
				}
			default:
				if e, ok := v[key]; ok {
					c.read(e, depth+1)
				}
			}
		}
	}
}

// plainCardText takes the HTML out of texts that have some, as connector cards do.
func plainCardText(s string) string {
	if strings.Contains(s, "</") || strings.Contains(s, "<br") {
		return HTMLToText(s)
	}
	return s
}
