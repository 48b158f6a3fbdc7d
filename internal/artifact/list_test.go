package artifact

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"wso2agent/internal/product"
)

func TestAListOfArtifactsIsRead(t *testing.T) {
	list, err := Load([]byte(`artifacts:
  - url: https://maker.example/a/driver-1.0.jar?key=1
    sha256: `+strings.Repeat("AB", 32)+`
    destination: repository/components/lib/driver-1.0.jar
    contains: org.example.Driver
  - file: more/own.war
    destination: repository/deployment/server/webapps/own.war
  - {file: /etc/own.xml, destination: repository/conf/own.xml}
`), "/lists/artifacts.yaml")
	want := []Artifact{
		{URL: "https://maker.example/a/driver-1.0.jar?key=1", SHA256: strings.Repeat("ab", 32), Destination: "repository/components/lib/driver-1.0.jar", Contains: "org.example.Driver"},
		{File: "/lists/more/own.war", Destination: "repository/deployment/server/webapps/own.war"},
		{File: "/etc/own.xml", Destination: "repository/conf/own.xml"},
	}
	if err != nil || !reflect.DeepEqual(list, want) {
		t.Errorf("list = %+v, %v", list, err)
	}
	if list[0].source() != "https://maker.example/a/driver-1.0.jar" || list[0].base() != "driver-1.0.jar" {
		t.Errorf("source = %s, base = %s", list[0].source(), list[0].base())
	}
}

func TestEveryMistakeInAListIsToldWithItsLine(t *testing.T) {
	cases := []struct{ name, list, says string }{
		{"an empty file", "", "it is empty"},
		{"no YAML", "artifacts: [", "list.yaml"},
		{"two documents", "artifacts: []\n---\nartifacts: []\n", "more than one document"},
		{"another key at the top", "artefacts: []\n", `list.yaml:1:1: unknown key "artefacts" in the file: did you mean "artifacts"?`},
		{"no list", "artifacts: {}\n", "list.yaml:1:12: artifacts must be a list"},
		{"an entry that is a text", "artifacts:\n  - https://a/b.jar\n", "list.yaml:2:5: an artifact must be a mapping"},
		{"an unknown key", "artifacts:\n  - {file: a.jar, destination: lib/a.jar,\n     sha265: x}\n", `list.yaml:3:6: unknown key "sha265" in an artifact: did you mean "sha256"?`},
		{"a key twice", "artifacts:\n  - {file: a.jar, file: b.jar, destination: lib/a.jar}\n", `key "file" stands twice`},
		{"neither address nor file", "artifacts:\n  - destination: lib/a.jar\n", "needs either url or file"},
		{"address and file", "artifacts:\n  - {url: 'https://a/b.jar', file: b.jar, destination: lib/a.jar}\n", "needs either url or file"},
		{"no destination", "artifacts:\n  - file: a.jar\n", "the artifact a.jar has no destination"},
		{"a destination twice", "artifacts:\n  - {file: a.jar, destination: lib/a.jar}\n  - {file: b.jar, destination: lib/a.jar}\n", "list.yaml:3:5: destination lib/a.jar appears twice, first on line 2"},
		{"a mistake behind another one", "artifacts:\n  - {file: a.jar, destination: /lib/a.jar}\n  - file: b.jar\n", "list.yaml:3:5: the artifact b.jar has no destination"},
		{"an alias to a mistake", "artifacts:\n  - {file: &name '', destination: lib/a.jar}\n  - {file: *name, destination: lib/b.jar}\n", "list.yaml:3:12: file is empty"},
		{"an address without encryption", "artifacts:\n  - {url: 'http://a/b.jar', destination: lib/a.jar}\n", "url must be an address that begins with https://"},
		{"an address that ends in a folder", "artifacts:\n  - {url: 'https://a/b/', destination: lib/a.jar}\n", "names no file"},
		{"half a digest", "artifacts:\n  - {file: a.jar, destination: lib/a.jar, sha256: abc}\n", `sha256 "abc" is no SHA-256`},
		{"a way out of the home", "artifacts:\n  - {file: a.jar, destination: lib/../../a.jar}\n", "must be a file's path below the home"},
		{"an absolute destination", "artifacts:\n  - {file: a.jar, destination: /lib/a.jar}\n", "must be a file's path below the home"},
		{"a destination that is a folder", "artifacts:\n  - {file: a.jar, destination: lib/}\n", "must be a file's path below the home"},
		{"a destination without a folder", "artifacts:\n  - {file: a.jar, destination: a.jar}\n", "has no folder"},
		{"a destination that is not copied", "artifacts:\n  - {file: a.jar, destination: .agent/a.jar}\n", "do not copy it"},
		{"the settings of the server", "artifacts:\n  - {file: a.toml, destination: repository/conf/deployment.toml}\n", "belongs to the config volume"},
		{"a store of the server", "artifacts:\n  - {file: a.jks, destination: repository/resources/security/client-truststore.jks}\n", "belongs to the config volume"},
		{"something else than a jar, without a digest", "artifacts:\n  - {url: 'https://a/b.xml', destination: lib/a.xml}\n", "has no sha256"},
		{"a class in something else than a jar", "artifacts:\n  - {file: b.xml, destination: lib/a.xml, contains: a.B}\n", "has contains"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := Load([]byte(c.list), "list.yaml")
			if !errors.Is(err, ErrList) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("error = %v; want %q", err, c.says)
			}
		})
	}
}

func TestAnAddressWithAPasswordIsNotRepeated(t *testing.T) {
	_, err := Load([]byte("artifacts:\n  - {url: 'https://me:hunter2@a/b.jar', destination: lib/a.jar}\n"), "list.yaml")
	if err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("error = %v", err)
	}
}

func TestTheDefaultListsWouldBeAcceptedFromAUser(t *testing.T) {
	is := func(version string) product.Release { r, _ := product.Of(product.IS, version); return r }
	for _, c := range []struct {
		release  product.Release
		postgres bool
		want     string
	}{
		{is("7.1.0"), false, "wso2is.notification.event.handlers-2.0.5.jar"},
		{is("7.1.0"), true, "wso2is.notification.event.handlers-2.0.5.jar postgresql-42.7.13.jar"},
		{is("7.0.0"), false, "wso2is.notification.event.handlers-2.0.5.jar"},
		{is("7.3.0"), false, "wso2is.notification.event.handlers-2.1.2.jar"},
		{product.Default(product.AM), false, ""},
		{product.Default(product.AM), true, "postgresql-42.7.13.jar"},
	} {
		var names []string
		for _, a := range Default(c.release, c.postgres) {
			names = append(names, a.base())
			for _, err := range []error{checkURL(a.URL), checkDestination(a.Destination)} {
				if err != nil {
					t.Errorf("%s: %v", a.base(), err)
				}
			}
			if a.SHA256 != "" && checkDigest(a.SHA256) != nil || a.Contains == "" || a.Lost == "" || !strings.HasSuffix(a.Destination, "/"+a.base()) {
				t.Errorf("%+v", a)
			}
		}
		if got := strings.Join(names, " "); got != c.want {
			t.Errorf("%s, PostgreSQL %v: %s, want %s", c.release.Name(), c.postgres, got, c.want)
		}
	}
}

func TestAUsersVersionTakesThePlaceOfTheDefaultOne(t *testing.T) {
	defaults := Default(product.Default(product.IS), true)
	own := []Artifact{
		{File: "h.jar", Destination: "repository/components/dropins/wso2is.notification.event.handlers-2.0.6.jar"},
		{File: "o.jar", Destination: "repository/components/dropins/postgresql-42.7.13.jar"}, // another folder than the default's
	}
	list := Merge(defaults, own)
	var names []string
	for _, a := range list {
		names = append(names, a.Destination)
	}
	want := []string{defaults[1].Destination, own[0].Destination, own[1].Destination}
	if !reflect.DeepEqual(names, want) {
		t.Errorf("list = %v, want %v", names, want)
	}
	if list[1].Lost != defaults[0].Lost || own[0].Lost != "" {
		t.Errorf("what is lost without it: %q; the user's own list says %q", list[1].Lost, own[0].Lost)
	}
}
