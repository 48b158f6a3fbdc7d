package wso2

import (
	"bytes"
	"errors"
	"fmt"
	"mime/multipart"
	"net/textproto"
	"strings"
)

// MaxUpload is the largest file, and the largest text, that a request sends as part of a form, in bytes. It is also the most that is
// read of a document.
const MaxUpload = 10 << 20

// ErrTooLarge: a file is larger than [MaxUpload]. It was not sent.
var ErrTooLarge = errors.New("the file is too large")

// part is one field of a multipart form.
type part struct {
	name     string
	file     string // the name of the file; empty for a text
	kind     string // the media type of a file; empty is application/octet-stream
	contents []byte
}

// text is a field without a file.
func text(name, value string) part { return part{name: name, contents: []byte(value)} }

// multipartForm writes the fields in their order. It returns the body and its media type.
func multipartForm(parts []part) (body []byte, contentType string, err error) {
	var b bytes.Buffer
	form := multipart.NewWriter(&b)
	for _, p := range parts {
		if len(p.contents) > MaxUpload {
			return nil, "", fmt.Errorf("%w: %s has %d bytes, and at most %d MiB are sent", ErrTooLarge, p.name, len(p.contents), MaxUpload>>20)
		}
		w, err := form.CreatePart(p.header())
		if err != nil {
			return nil, "", err
		}
		if _, err := w.Write(p.contents); err != nil {
			return nil, "", err
		}
	}
	if err := form.Close(); err != nil {
		return nil, "", err
	}
	return b.Bytes(), form.FormDataContentType(), nil
}

// quoted escapes a name for a header. A line break would begin another header.
var quoted = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\r", "%0D", "\n", "%0A")

func (p part) header() textproto.MIMEHeader {
	h := textproto.MIMEHeader{}
	disposition := `form-data; name="` + quoted.Replace(p.name) + `"`
	if p.file != "" {
		disposition += `; filename="` + quoted.Replace(p.file) + `"`
		kind := p.kind
		if kind == "" {
			kind = "application/octet-stream"
		}
		h.Set("Content-Type", kind)
	}
	h.Set("Content-Disposition", disposition)
	return h
}
