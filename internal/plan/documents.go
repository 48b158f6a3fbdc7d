package plan

import (
	"crypto/sha256"
	"fmt"

	"wso2agent/internal/desired"
)

// documentTable has a row for each field of a document that is in the Publisher's object. Its text or file is at an address of its own.
var documentTable = []mapping{
	textRow("name", "name", "", func(d desired.Document) desired.Text { return d.Name }),
	textRow("type", "type", "HOWTO", func(d desired.Document) desired.Text { return d.Type }),
	nullable(textRow("other_type", "otherTypeName", "", func(d desired.Document) desired.Text { return d.OtherType })),
	textRow("summary", "summary", "", func(d desired.Document) desired.Text { return d.Summary }),
	textRow("visibility", "visibility", "API_LEVEL", func(d desired.Document) desired.Text { return d.Visibility }),
	{
		path: "format",
		want: func(from any) (any, bool) { d := from.(desired.Document); return sourceOf(d), true },
		have: func(o Object) any { return textAt(o, "sourceType", "INLINE") },
		put:  func(body Object, value any) { body["sourceType"] = value },
	},
	{
		path: "url",
		want: func(from any) (any, bool) { d := from.(desired.Document); return d.URL.Value, d.URL.Set },
		have: func(o Object) any { return textAt(o, "sourceUrl", "") },
		put:  func(body Object, value any) { body["sourceUrl"] = value },
	},
}

// sourceOf returns how the server keeps a document: INLINE, MARKDOWN, URL or FILE.
func sourceOf(d desired.Document) string {
	switch {
	case d.URL.Set:
		return "URL"
	case d.File.Set:
		return "FILE"
	}
	return d.Format.Or("INLINE")
}

// withFormat gives a text the format that the server has if the file leaves the format out.
func withFormat(want desired.Document, have Object) desired.Document {
	if have["sourceType"] == "MARKDOWN" && want.Content.Set && !want.Format.Set {
		want.Format = desired.Text{Set: true, Value: "MARKDOWN"}
	}
	return want
}

// DocumentDifferences compares a document with what the Publisher shows of it. content is its text or the bytes of its file, and stored
// is what the server has of it, nil if nothing. Neither is looked at for a document that is an address.
func DocumentDifferences(want desired.Document, have Object, content, stored []byte) []Difference {
	all := differences(documentTable, withFormat(want, have), have)
	if want.URL.Set || string(content) == string(stored) {
		return all
	}
	path := "content"
	if want.File.Set {
		path = "file"
	}
	return append(all, Difference{Path: path, Have: digest(stored), Want: digest(content)})
}

// digest shows content by its size and the beginning of its SHA-256; nil if there is none.
func digest(content []byte) any {
	if content == nil {
		return nil
	}
	sum := sha256.Sum256(content)
	return fmt.Sprintf("%d bytes, sha256 %x", len(content), sum[:6])
}

// DocumentBody returns the document to send, without its content. have is nil for a creation. The server refuses a document without a
// summary and drops a text in this object.
func DocumentBody(want desired.Document, have Object) Object {
	base := have
	if base == nil {
		base = Object{"type": "HOWTO", "visibility": "API_LEVEL", "summary": ""}
	}
	return body(documentTable, withFormat(want, have), base)
}
