package artifact

import (
	"archive/zip"
	"bufio"
	"io"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"wso2agent/internal/product"
)

// handlers matches the file of the revocation handler below a volume or a home, in every version.
const handlers = "repository/components/dropins/wso2is.notification.event.handlers*.jar"

// RevocationHandlers returns the files of the handler with which IS reports revoked tokens to API-M, below the folders. A volume and the
// home that a start has copied it to have the same name of it, which counts once.
func RevocationHandlers(folders ...string) (found []string) {
	for _, folder := range folders {
		paths, _ := filepath.Glob(filepath.Join(folder, handlers)) // it fails only for a wrong pattern
		for _, p := range paths {
			if !slices.ContainsFunc(found, func(other string) bool { return filepath.Base(other) == filepath.Base(p) }) {
				found = append(found, p)
			}
		}
	}
	return found
}

// HasRevocationHandler reports whether a handler that a release of IS loads lies below one of the folders. IS skips one that does not
// resolve and reports no error, so such a jar, or one that cannot be read, does not count.
func HasRevocationHandler(release product.Release, folders ...string) bool {
	return slices.ContainsFunc(RevocationHandlers(folders...), func(jar string) bool {
		resolves, err := Resolves(jar, release)
		return err == nil && resolves
	})
}

// The versions of the packages of OSGi's services, of the old and the new Equinox, see product.Facts.HandlerOSGi.
const oldServices, newServices = "1.2", "1.3"

// Resolves reports whether the OSGi framework of a release of IS resolves a handler: by the range in which it imports the packages of
// OSGi's services (imp.package.version.osgi.service of its pom.xml, wso2-extensions/apim-km-wso2is), and by the Java that it requires
// (Require-Capability, which bnd writes). A handler that says nothing of them resolves. The error says that the file is no bundle.
func Resolves(path string, release product.Release) (bool, error) {
	manifest, err := manifestOf(path)
	if err != nil {
		return false, err
	}
	_, java, _ := strings.Cut(manifest["Require-Capability"], "(osgi.ee=JavaSE)(version=")
	java, _, _ = strings.Cut(java, ")")
	if version, err := strconv.Atoi(java); err == nil && version > release.JDK {
		return false, nil
	}
	for _, clause := range splitClauses(manifest["Import-Package"]) {
		name, attributes, _ := strings.Cut(clause, ";")
		if !strings.HasPrefix(name, "org.osgi.service.") {
			continue
		}
		switch {
		case strings.Contains(attributes, "[1.2,1.3)"), strings.Contains(attributes, "[1.2.0,1.3.0)"):
			return release.HandlerOSGi == oldServices, nil
		case strings.Contains(attributes, "[1.3,2.0)"), strings.Contains(attributes, "[1.3.0,2.0.0)"):
			return release.HandlerOSGi == newServices, nil
		}
	}
	return true, nil
}

// splitClauses splits a header of a manifest at the commas outside quotes.
func splitClauses(header string) (clauses []string) {
	quoted := false
	return strings.FieldsFunc(header, func(r rune) bool {
		if r == '"' {
			quoted = !quoted
		}
		return r == ',' && !quoted
	})
}

// manifestLimit is the largest size of a manifest, in bytes.
const manifestLimit = 1 << 20

// manifestOf reads the main section of the manifest of a jar. A line that begins with a space continues the one before.
func manifestOf(path string) (map[string]string, error) {
	jar, err := zip.OpenReader(path)
	if err != nil {
		return nil, err
	}
	defer jar.Close()
	at := slices.IndexFunc(jar.File, func(f *zip.File) bool { return f.Name == "META-INF/MANIFEST.MF" })
	if at < 0 {
		return map[string]string{}, nil
	}
	f, err := jar.File[at].Open()
	if err != nil {
		return nil, err
	}
	defer f.Close()
	headers, last := map[string]string{}, ""
	lines := bufio.NewScanner(io.LimitReader(f, manifestLimit))
	for lines.Scan() && lines.Text() != "" {
		line := lines.Text()
		if more, is := strings.CutPrefix(line, " "); is {
			headers[last] += more
			continue
		}
		name, value, _ := strings.Cut(line, ": ")
		last, headers[name] = name, value
	}
	return headers, lines.Err()
}
