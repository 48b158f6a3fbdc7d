package wso2sim

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// The library that tells API Manager of revoked tokens: Maven's org.wso2.km.ext.wso2is, wso2is.notification.event.handlers.
const (
	dropinsDir   = "repository/components/dropins"
	handlerJar   = "wso2is.notification.event.handlers"
	handlerEntry = "org/wso2/is/notification/ApimOauthEventInterceptor.class"
)

// WriteRevocationHandler puts a stand-in of the handler's library into the home of IS, of a version that the home's framework resolves: a jar
// of the right name with the right class in it, which has no code. The listener of deployment.toml works with it in a stand-in and nowhere
// else.
func WriteRevocationHandler(home string) error {
	b, err := homeBehaviour(ProductIS, home)
	if err != nil {
		return err
	}
	version := "2.0.5"
	if b.OSGi != "1.2" {
		version = "2.1.2"
	}
	jar, err := RevocationHandler(version)
	if err != nil {
		return err
	}
	return writeNew(filepath.Join(home, dropinsDir, handlerJar+"-"+version+".jar"), jar)
}

// RevocationHandler makes a stand-in of one version of the library, such as 2.0.5. Its manifest imports what that version imports (pom.xml of
// apim-km-wso2is at its tags: imp.package.version.osgi.service), and asks for Java 21 from 2.0.12 on.
func RevocationHandler(version string) ([]byte, error) {
	manifest := handlerManifest(version)
	var jar bytes.Buffer
	z := zip.NewWriter(&jar)
	for _, f := range []struct{ name, text string }{
		{"META-INF/MANIFEST.MF", manifest},
		{handlerEntry, "a stand-in of this class, without code\n"},
	} {
		w, err := z.Create(f.name)
		if err == nil {
			_, err = w.Write([]byte(f.text))
		}
		if err != nil {
			return nil, fmt.Errorf("make a stand-in of %s: %w", handlerJar, err)
		}
	}
	if err := z.Close(); err != nil {
		return nil, fmt.Errorf("make a stand-in of %s: %w", handlerJar, err)
	}
	return jar.Bytes(), nil
}

// handlerManifest is the manifest of a stand-in of one version of the library.
func handlerManifest(version string) string {
	imports, java := "[1.2.0,1.3.0)", 11
	switch {
	case !older(version, "2.1.2"):
		imports, java = "[1.2.0,2.0.0)", 21
	case !older(version, "2.0.12"):
		imports, java = "[1.3.0,2.0.0)", 21
	}
	return "Manifest-Version: 1.0\r\nBundle-Name: stand-in of " + handlerJar + "\r\nBundle-Version: " + version + "\r\n" +
		"Import-Package: org.osgi.service.component;version=\"" + imports + "\"\r\n" +
		"Require-Capability: osgi.ee;filter:=\"(&(osgi.ee=JavaSE)(version=" + strconv.Itoa(java) + "))\"\r\n"
}

// Resolves says what of a version of the handler's library IS does not have, or nothing.
func (b Behaviour) Resolves(version string) string { return b.unresolved(handlerManifest(version)) }

// older compares versions of three numbers. What is missing or no number is 0.
func older(a, b string) bool { return slices.Compare(numbers(a), numbers(b)) < 0 }

func numbers(version string) []int {
	out := make([]int, 3)
	for i, part := range strings.SplitN(version, ".", 3) {
		out[i], _ = strconv.Atoi(strings.TrimSpace(part))
	}
	return out
}

// The parts of a manifest that decide whether a bundle resolves.
var (
	importsService = regexp.MustCompile(`org\.osgi\.service[\w.]*;(?:[\w:]+="?[^";,]*"?;)*version="([\[(])([^,]+),([^\])]+)([\])])"`)
	requiresJava   = regexp.MustCompile(`\(osgi\.ee=JavaSE\)\(version=(\d+)`)
)

// unresolved says what of a bundle's manifest the framework does not have, or nothing. The framework says it in such words, and skips the
// bundle (assumed; the server starts without it).
func (b Behaviour) unresolved(manifest string) string {
	manifest = strings.NewReplacer("\r\n ", "", "\n ", "").Replace(manifest) // continued lines
	if m := importsService.FindStringSubmatch(manifest); m != nil {
		low := older(b.OSGi, m[2]) || m[1] == "(" && !older(m[2], b.OSGi)
		high := older(m[3], b.OSGi) || m[4] == ")" && !older(b.OSGi, m[3])
		if low || high {
			return "Unresolved requirement: Import-Package: " + m[0]
		}
	}
	if m := requiresJava.FindStringSubmatch(manifest); m != nil && older(strconv.Itoa(b.Java), m[1]) {
		return "Unresolved requirement: Require-Capability: osgi.ee; filter:=\"" + m[0] + "))\""
	}
	return ""
}

// errNoHandler is what the server logs of a class that no bundle has.
var errNoHandler = errors.New("ClassNotFoundException: " + listenerName)

// findHandler looks for the handler's class below a home, in a bundle that resolves. A file that only has the name, such as the saved page of an
// error, is named.
func findHandler(home string, b Behaviour) error {
	jars, err := filepath.Glob(filepath.Join(home, dropinsDir, handlerJar+"*.jar"))
	if err != nil {
		return fmt.Errorf("look for the revocation handler: %w", err)
	}
	problem := fmt.Errorf("%w; there is no %s*.jar in %s", errNoHandler, handlerJar, dropinsDir)
	for _, path := range jars {
		data, err := os.ReadFile(path)
		if err != nil {
			return fmt.Errorf("read the revocation handler: %w", err)
		}
		z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
		switch {
		case err != nil:
			problem = fmt.Errorf("%w; %s is no jar: %w", errNoHandler, filepath.Base(path), err)
		case slices.ContainsFunc(z.File, func(f *zip.File) bool { return strings.TrimPrefix(f.Name, "/") == handlerEntry }):
			manifest, _ := fs.ReadFile(z, "META-INF/MANIFEST.MF") // a bundle without one imports nothing
			why := b.unresolved(string(manifest))
			if why == "" {
				return nil
			}
			problem = fmt.Errorf("%w; BundleException: Could not resolve module: %s: %s", errNoHandler, filepath.Base(path), why)
		default:
			problem = fmt.Errorf("%w; it is not in %s", errNoHandler, filepath.Base(path))
		}
	}
	return problem
}
