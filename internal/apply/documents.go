package apply

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"

	"wso2agent/internal/desired"
	"wso2agent/internal/plan"
	"wso2agent/internal/wso2"
)

// document makes or changes a document of an API. Its content has a request of its own.
func (r *round) document(ctx context.Context, c plan.Change, want desired.Document) error {
	if err := r.writeDocument(ctx, c, want); err != nil {
		return fmt.Errorf("%s document %q of %s (%s): %w", c.Action, c.Name, c.Of, want.Name.At, gone(err))
	}
	return nil
}

func (r *round) writeDocument(ctx context.Context, c plan.Change, want desired.Document) error {
	api := r.apiOf(c)
	if api == "" {
		return fmt.Errorf("%w: API-M does not have the API", errNeeds)
	}
	have, exists := c.Have.(plan.Document)
	if !exists {
		made, err := r.Publisher.CreateDocument(ctx, api, plan.DocumentBody(want, nil))
		if wso2.HasCode(err, wso2.CodeDocumentExists) {
			return again(err) // the answer to an earlier creation is lost, or a copy of another version brought it
		}
		if err != nil {
			return err
		}
		r.noteID(c, made.ID)
		return r.writeContent(ctx, api, made.ID, want)
	}
	id := textOf(have.Object, "documentId")
	content := func(d plan.Difference) bool { return d.Path == "content" || d.Path == "file" }
	if slices.ContainsFunc(c.Fields, func(d plan.Difference) bool { return !content(d) }) {
		if _, err := r.Publisher.UpdateDocument(ctx, api, id, plan.DocumentBody(want, have.Object)); err != nil {
			return err
		}
	}
	// What another format makes of the content is not known.
	if slices.ContainsFunc(c.Fields, func(d plan.Difference) bool { return content(d) || d.Path == "format" }) {
		return r.writeContent(ctx, api, id, want)
	}
	return nil
}

func (r *round) writeContent(ctx context.Context, api, id string, want desired.Document) error {
	switch {
	case want.URL.Set:
		return nil
	case want.File.Set:
		return r.Publisher.WriteFile(ctx, api, id, filepath.Base(want.File.Value), r.want.Contents[desired.PathOf(want.File)])
	}
	return r.Publisher.WriteText(ctx, api, id, want.Content.Value)
}

// apiOf returns the id of the API of a document; "" if it is not made.
func (r *round) apiOf(c plan.Change) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	for name, id := range r.ids.APIs {
		if c.Of == plan.KindAPI+" "+name.String() {
			return id
		}
	}
	return ""
}
