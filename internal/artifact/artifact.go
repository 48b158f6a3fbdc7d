// Package artifact lists, downloads and checks files that a server needs and its stock image lacks. They lie on the
// artifact volume, which the product's entrypoint copies over the server's home at every start.
package artifact

import (
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"

	"wso2agent/internal/product"
)

// Artifact is a file that a server needs and its stock image lacks. The product's entrypoint copies it from the artifact
// volume into the home at every start. Either URL or File is set.
type Artifact struct {
	URL         string // an https address to download it from
	File        string // a file on this machine to copy
	SHA256      string // its digest, 64 lower-case hex digits; empty: the digest of the first fetch is required from then on
	Destination string // its path relative to the home, with slashes
	Contains    string // a class (org.example.Name) or an entry of a zip file that it must contain; empty: no check
	Lost        string // what does not work without it, for the log; empty: not known
	Required    bool   // the server does not start without it
}

// source is where the artifact comes from, in a form that logs and records may hold: the query of a URL may hold a key.
func (a Artifact) source() string {
	if a.File != "" {
		return a.File
	}
	address, _, _ := strings.Cut(a.URL, "?")
	return address
}

// base is the file name of the artifact at its source.
func (a Artifact) base() string {
	if u, err := url.Parse(a.URL); err == nil && a.URL != "" {
		return path.Base(u.Path)
	}
	return path.Base(a.File)
}

// isArchive reports whether the destination's extension means a zip file.
func (a Artifact) isArchive() bool {
	return slices.Contains([]string{".jar", ".war", ".zip"}, strings.ToLower(path.Ext(a.Destination)))
}

// Default lists what the stock image of a release lacks. With postgres it includes the JDBC driver of PostgreSQL. Both addresses belong
// to the makers of the files.
func Default(release product.Release, postgres bool) []Artifact {
	var list []Artifact
	if release.Handler != "" {
		// The coordinates come from WSO2's documentation of IS 7 as key manager. WSO2 publishes no SHA-256 of it, and Maven Central
		// does not have it.
		name := "wso2is.notification.event.handlers-" + release.Handler + ".jar"
		list = append(list, Artifact{
			URL:         "https://maven.wso2.org/nexus/content/repositories/releases/org/wso2/km/ext/wso2is/wso2is.notification.event.handlers/" + release.Handler + "/" + name,
			Destination: "repository/components/dropins/" + name,
			Contains:    "org.wso2.is.notification.ApimOauthEventInterceptor",
			Lost:        "revocation before expiry is not verified",
		})
	}
	if postgres {
		// 42.7.12 and older have CVE-2026-54291 or CVE-2026-42198. Several public builds check this file against this digest.
		list = append(list, Artifact{
			URL:         "https://jdbc.postgresql.org/download/postgresql-42.7.13.jar",
			SHA256:      "6e0e4cc2d8cae902084f8a2b18728b073a6fd9d1f87c9d8bff8f298c18185b93",
			Destination: "repository/components/lib/postgresql-42.7.13.jar",
			Contains:    "org.postgresql.Driver",
			Lost:        "the server cannot reach PostgreSQL and does not start",
			Required:    true,
		})
	}
	return list
}

// Merge adds the user's own artifacts to the defaults. An own artifact replaces a default one in the same folder that
// differs only in its version, because the server loads both of two versions in one folder.
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

// versioned splits a file name such as name-2.0.5.jar, or name_2.0.5.jar as OSGi writes it.
var versioned = regexp.MustCompile(`^(.+?)[-_]\d[^/]*(\.[a-z]+)$`)

// sameButVersion reports whether two paths name the same file, apart from its version.
func sameButVersion(a, b string) bool {
	return path.Dir(a) == path.Dir(b) && withoutVersion(path.Base(a)) == withoutVersion(path.Base(b))
}

func withoutVersion(base string) string {
	if m := versioned.FindStringSubmatch(base); m != nil {
		return m[1] + m[2]
	}
	return base
}
