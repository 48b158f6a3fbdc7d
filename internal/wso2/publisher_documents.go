package wso2

import (
	"context"
	"net/http"
	"net/url"
)

// Documents lists the documents of an API, without their content.
func (p *Publisher) Documents(ctx context.Context, apiID string) ([]Object, error) {
	return p.objects(ctx, request{op: "list documents of API " + apiID, method: http.MethodGet, path: documents(apiID)}, keysOfDocument)
}

// CreateDocument makes a document. Content that the object may have is lost without a word: write it with WriteText or WriteFile.
func (p *Publisher) CreateDocument(ctx context.Context, apiID string, fields map[string]any) (Object, error) {
	return p.object(ctx, request{
		op: "create document " + named(fields, "name") + " of API " + apiID, method: http.MethodPost, path: documents(apiID), body: fields,
	}, keysOfDocument)
}

// UpdateDocument writes a whole document. Its name and its content stay.
func (p *Publisher) UpdateDocument(ctx context.Context, apiID, id string, fields map[string]any) (Object, error) {
	return p.object(ctx, request{
		op: "update document " + named(fields, "name") + " of API " + apiID, method: http.MethodPut, path: document(apiID, id), body: fields,
	}, keysOfDocument)
}

// DeleteDocument deletes a document and its content.
func (p *Publisher) DeleteDocument(ctx context.Context, apiID, id string) error {
	return p.call(ctx, request{op: "delete document " + id + " of API " + apiID, method: http.MethodDelete, path: document(apiID, id)}, nil)
}

// ReadContent reads the content of a document, of at most [MaxUpload] bytes. ok is false if the document has no content yet, and if
// there is no such document.
func (p *Publisher) ReadContent(ctx context.Context, apiID, id string) (content []byte, ok bool, err error) {
	a, err := p.send(ctx, request{
		op: "read the content of document " + id + " of API " + apiID, method: http.MethodGet, path: document(apiID, id) + "/content",
		accept: "*/*", limit: MaxUpload,
	}, nil)
	if isAbsent(err) {
		return nil, false, nil
	}
	return a.body, err == nil, err
}

// WriteText writes the content of a document whose source type is INLINE or MARKDOWN, of at most [MaxUpload] bytes.
func (p *Publisher) WriteText(ctx context.Context, apiID, id, content string) error {
	return p.writeContent(ctx, apiID, id, text("inlineContent", content))
}

// WriteFile writes the content of a document whose source type is FILE, of at most [MaxUpload] bytes. name is the name of the file
// without a folder; it decides what a browser makes of it.
func (p *Publisher) WriteFile(ctx context.Context, apiID, id, name string, content []byte) error {
	return p.writeContent(ctx, apiID, id, part{name: "file", file: name, contents: content})
}

func (p *Publisher) writeContent(ctx context.Context, apiID, id string, content part) error {
	return p.call(ctx, request{
		op: "write the content of document " + id + " of API " + apiID, method: http.MethodPost, path: document(apiID, id) + "/content",
		parts: []part{content},
	}, nil)
}

func documents(apiID string) string { return api(apiID) + "/documents" }

func document(apiID, id string) string { return documents(apiID) + "/" + url.PathEscape(id) }
