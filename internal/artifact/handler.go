package artifact

import (
	"path/filepath"
	"slices"
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

// HasRevocationHandler reports whether the handler with which IS reports revoked tokens to API-M lies below one of the folders.
func HasRevocationHandler(folders ...string) bool {
	return len(RevocationHandlers(folders...)) > 0
}
