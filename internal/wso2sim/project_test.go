package wso2sim

import (
	"archive/zip"
	"bytes"
	"io/fs"
	"os"
	"strings"
	"testing"
)

// packed makes an archive of the plain files of a project, under a root folder, with changes to their text.
func packed(t *testing.T, folder string, changes ...string) map[string]string {
	t.Helper()
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	files := os.DirFS(folder)
	err := fs.WalkDir(files, ".", func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		text, err := fs.ReadFile(files, path)
		if err != nil {
			return err
		}
		f, err := w.Create("Orders-1.0.0/" + path)
		if err != nil {
			return err
		}
		_, err = strings.NewReplacer(changes...).WriteString(f, string(text))
		return err
	})
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return map[string]string{"file": out.String()}
}

func TestAProjectLaidOutByHandIsImportedAndUpdated(t *testing.T) {
	p := newPair(t)
	p.startAM()
	at := p.publisher("/apis/import?overwrite=true&preserveProvider=true&rotateRevision=true")
	backend := []string{"http://orders:8080", p.backend.URL()}
	made := form(t, at, "application/json", packed(t, "testdata/project", backend...)).want(t, 200)
	id := made.str("id")
	got := send(t, "GET", p.publisher("/apis/"+id), admin, nil).want(t, 200)
	for field, want := range map[string]string{
		"name": "Orders", "version": "1.0.0", "context": "/orders", "description": "Takes orders", "lifeCycleStatus": "PUBLISHED", "provider": "admin",
	} {
		if got.str(field) != want {
			t.Errorf("the %s is %q, want %q", field, got.str(field), want)
		}
	}
	deployed := func() reply {
		return send(t, "GET", p.publisher("/apis/"+id+"/revisions?query=deployed:true"), admin, nil).want(t, 200)
	}
	if list := deployed(); list.at("count") != 1.0 || list.str("list", 0, "id") != made.str("revision") || list.str("list", 0, "deploymentInfo", 0, "name") != "Default" {
		t.Errorf("deployed is %s", list.text)
	}
	app := p.application("App")
	p.subscribe(app, id)
	tok := token(t, p.am.URL(), p.generate(app, "").want(t, 200))
	p.invoke("/orders/1.0.0/orders/1", bearer(tok)).want(t, 200)
	p.invoke("/orders/1.0.0/bills/1", bearer(tok)).want(t, 404)

	changes := append(backend, "Takes orders", "Takes orders and sends bills", "/orders/{id}:", "/bills/{id}:")
	again := form(t, at, "application/json", packed(t, "testdata/project", changes...)).want(t, 200)
	if again.str("id") != id || again.str("revision") == made.str("revision") {
		t.Errorf("the second import gives %s after %s", again.text, made.text)
	}
	if got := send(t, "GET", p.publisher("/apis/"+id), admin, nil).want(t, 200); got.str("description") != "Takes orders and sends bills" ||
		got.str("lifeCycleStatus") != "PUBLISHED" {
		t.Errorf("after it: %s", got.text)
	}
	if list := deployed(); list.at("count") != 1.0 || list.str("list", 0, "id") != again.str("revision") {
		t.Errorf("deployed is %s", list.text)
	}
	p.invoke("/orders/1.0.0/bills/1", bearer(tok)).want(t, 200)
	p.invoke("/orders/1.0.0/orders/1", bearer(tok)).want(t, 404)
	if all := send(t, "GET", p.publisher("/apis"), admin, nil).want(t, 200); all.at("count") != 1.0 {
		t.Errorf("there are %v APIs", all.at("count"))
	}
}
