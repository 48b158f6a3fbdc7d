package wso2

import (
	"context"
	"net/http"
)

// ApplicationObjects lists all applications of the user. Their attributes and groups are those of a single read.
func (d *DevPortal) ApplicationObjects(ctx context.Context) ([]Object, error) {
	return d.objects(ctx, request{op: "list applications", method: http.MethodGet, path: "/applications"}, keysOfApp)
}

// ApplicationObject reads an application as the DevPortal has it.
func (d *DevPortal) ApplicationObject(ctx context.Context, id string) (Object, error) {
	return d.object(ctx, request{op: "read application " + id, method: http.MethodGet, path: application(id)}, keysOfApp)
}

// CreateApplicationObject makes an application. API-M drops attributes that its configuration does not declare, without a word.
func (d *DevPortal) CreateApplicationObject(ctx context.Context, fields map[string]any) (Object, error) {
	return d.object(ctx, request{
		op: "create application " + named(fields, "name"), method: http.MethodPost, path: "/applications", body: fields,
	}, keysOfApp)
}

// UpdateApplicationObject writes a whole application: API-M empties what is not in it.
func (d *DevPortal) UpdateApplicationObject(ctx context.Context, id string, fields map[string]any) (Object, error) {
	return d.object(ctx, request{
		op: "update application " + named(fields, "name"), method: http.MethodPut, path: application(id), body: fields,
	}, keysOfApp)
}

// ApplicationAttributes lists the names of the attributes that the configuration of API-M declares for applications.
func (d *DevPortal) ApplicationAttributes(ctx context.Context) ([]string, error) {
	var p page[struct {
		Name string `json:"attribute"`
	}]
	r := request{op: "list the attributes of applications", method: http.MethodGet, path: "/settings/application-attributes"}
	err := d.call(ctx, r, &p)
	names := []string{}
	for _, a := range p.List {
		names = append(names, a.Name)
	}
	return names, err
}
