package test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"wso2agent/internal/product"
)

// TestTheManifestsSelectAVersionAtOnePlace: image and mounted home go together, and each supported version can be selected.
func TestTheManifestsSelectAVersionAtOnePlace(t *testing.T) {
	for name, variable := range map[string]string{product.IS: "IS", product.AM: "AM"} {
		standard := product.Default(name)
		image := strings.TrimSuffix(standard.Prefix(), "-")
		var base strings.Builder
		for _, file := range []string{"compose.yml", "compose.override.yml", "deploy/kubernetes/base/" + image + ".yaml"} {
			base.WriteString(read(t, file))
		}
		selected := strings.NewReplacer(
			"${"+variable+"_IMAGE:-wso2/"+image+":${"+variable+"_VERSION:-"+standard.Version+"}}", "",
			"${"+variable+"_SERVER_HOME:-/home/wso2carbon/"+standard.Prefix()+"${"+variable+"_VERSION:-"+standard.Version+"}}", "",
			"image: wso2/"+image+":"+standard.Version, "", "mountPath: "+standard.Home()+"/", "").Replace(base.String())
		if at := strings.Index(selected, standard.Version); at >= 0 {
			t.Errorf("%s stands in the manifests at a place that no version selects, in %q", standard.Version, selected[max(0, at-80):at+40])
		}
		for _, minor := range product.Versions(name) {
			if minor == standard.Minor {
				continue
			}
			r, err := product.Of(name, minor+".0")
			if err != nil {
				t.Fatal(err)
			}
			component := read(t, "deploy/kubernetes/components/"+r.Name()+"/kustomization.yaml")
			for _, part := range []string{"name: wso2/" + image + "\n    newTag: " + r.Version + "\n", "database=" + r.Home() + "/repository/database"} {
				if !strings.Contains(component, part) {
					t.Errorf("the component %s lacks %q", r.Name(), part)
				}
			}
			if name == product.AM && !strings.Contains(component, "solr="+r.Home()+"/solr") {
				t.Errorf("the component %s lacks the home of solr", r.Name())
			}
		}
	}
}

// read returns a file of the project.
func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", path))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
