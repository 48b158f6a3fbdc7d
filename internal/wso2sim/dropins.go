package wso2sim

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// The library that tells API Manager of revoked tokens: Maven's org.wso2.km.ext.wso2is, wso2is.notification.event.handlers.
const (
	dropinsDir   = "repository/components/dropins"
	handlerJar   = "wso2is.notification.event.handlers"
	handlerEntry = "org/wso2/is/notification/ApimOauthEventInterceptor.class"
)

// WriteRevocationHandler puts a stand-in of the handler's library into the home of IS: a jar of the right name with the
// right class in it, which has no code. The listener of deployment.toml works with it in a stand-in and nowhere else.
func WriteRevocationHandler(home string) error {
	var jar bytes.Buffer
	z := zip.NewWriter(&jar)
	for _, f := range []struct{ name, text string }{
		{"META-INF/MANIFEST.MF", "Manifest-Version: 1.0\r\nBundle-Name: stand-in of " + handlerJar + "\r\n"},
		{handlerEntry, "a stand-in of this class, without code\n"},
	} {
		w, err := z.Create(f.name)
		if err == nil {
			_, err = w.Write([]byte(f.text))
		}
		if err != nil {
			return fmt.Errorf("make a stand-in of %s: %w", handlerJar, err)
		}
	}
	if err := z.Close(); err != nil {
		return fmt.Errorf("make a stand-in of %s: %w", handlerJar, err)
	}
	return writeNew(filepath.Join(home, dropinsDir, handlerJar+"-2.0.5.jar"), jar.Bytes())
}

// errNoHandler is what the server logs of a class that no bundle has.
var errNoHandler = errors.New("ClassNotFoundException: " + listenerName)

// findHandler looks for the handler's class below a home. A file that only has the name, such as the saved page of an
// error, is named.
func findHandler(home string) error {
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
			return nil
		default:
			problem = fmt.Errorf("%w; it is not in %s", errNoHandler, filepath.Base(path))
		}
	}
	return problem
}
