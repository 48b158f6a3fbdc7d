// Package artifact lists, downloads and checks files that a server needs and its stock image lacks. They lie on the
// artifact volume, which the product's entrypoint copies over the server's home at every start.
package artifact

import (
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"

	"wso2agent/internal/config"
)

// Artifact is a file that a server needs and its stock image lacks. The product's entrypoint copies it from the artifact
// volume into the home at every start.
type Artifact struct {
	URL         string // where it comes from, https; or
	File        string // the file that it is a copy of
	SHA256      string // its digest, 64 small hex digits; empty: that of the first fetch is remembered and demanded later
	Destination string // where it goes, relative to the home, with slashes
	Contains    string // a class (org.example.Name) or the entry of a zip file that must be in it; empty: anything
	Lost        string // what does not work without it, for the log; empty: not known
	Required    bool   // the server does not start without it
}

// source names where the artifact comes from, as it may be shown and remembered: the query of a URL may hold a key.
func (a Artifact) source() string {
	if a.File != "" {
		return a.File
	}
	address, _, _ := strings.Cut(a.URL, "?")
	return address
}

// base is the name of the artifact's file where it comes from.
func (a Artifact) base() string {
	if u, err := url.Parse(a.URL); err == nil && a.URL != "" {
		return path.Base(u.Path)
	}
	return path.Base(a.File)
}

// isArchive tells whether the destination's name says that the artifact is a zip file of some kind.
func (a Artifact) isArchive() bool {
	return slices.Contains([]string{".jar", ".war", ".zip"}, strings.ToLower(path.Ext(a.Destination)))
}

// Default are what the stock image of a product (config.IS, config.AM) lacks; postgres says that its databases
// are PostgreSQL's. Both addresses are their makers' own.
func Default(product string, postgres bool) []Artifact {
	var list []Artifact
	if product == config.IS {
		// The coordinates are those of WSO2's own documentation of IS 7 as key manager. No SHA-256 of it was found published.
		list = append(list, Artifact{
			URL:         "https://maven.wso2.org/nexus/content/repositories/releases/org/wso2/km/ext/wso2is/wso2is.notification.event.handlers/2.0.5/wso2is.notification.event.handlers-2.0.5.jar",
			Destination: "repository/components/dropins/wso2is.notification.event.handlers-2.0.5.jar",
			Contains:    "org.wso2.is.notification.ApimOauthEventInterceptor",
			Lost:        "revocation before expiry is not proved",
		})
	}
	if postgres {
		// 42.7.12 and older have CVE-2026-54291 or CVE-2026-42198. The digest is the one that several public builds check
		// this very file against.
		list = append(list, Artifact{
			URL:         "https://jdbc.postgresql.org/download/postgresql-42.7.13.jar",
			SHA256:      "6e0e4cc2d8cae902084f8a2b18728b073a6fd9d1f87c9d8bff8f298c18185b93",
			Destination: "repository/components/lib/postgresql-42.7.13.jar",
			Contains:    "org.postgresql.Driver",
			Lost:        "the server cannot reach PostgreSQL, and does not start",
			Required:    true,
		})
	}
	return list
}

// Merge adds the user's own artifacts to the defaults. One of the user's takes the place of a default in the
// same folder that differs in its version alone: of two versions in one folder the server would load both.
func Merge(defaults, own []Artifact) []Artifact {
	own = slices.Clone(own)
	var list []Artifact
	for _, d := range defaults {
		replaced := false
		for i := range own {
			if sameButVersion(d.Destination, own[i].Destination) {
				replaced = true
				own[i].Lost, own[i].Required = d.Lost, d.Required
			}
		}
		if !replaced {
			list = append(list, d)
		}
	}
	return append(list, own...)
}

// versioned splits a file name such as name-2.0.5.jar; OSGi's own way is name_2.0.5.jar.
var versioned = regexp.MustCompile(`^(.+?)[-_]\d[^/]*(\.[a-z]+)$`)

// sameButVersion tells whether two paths name the same thing, in one version or in two.
func sameButVersion(a, b string) bool {
	return path.Dir(a) == path.Dir(b) && withoutVersion(path.Base(a)) == withoutVersion(path.Base(b))
}

func withoutVersion(base string) string {
	if m := versioned.FindStringSubmatch(base); m != nil {
		return m[1] + m[2]
	}
	return base
}
