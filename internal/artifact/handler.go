package artifact

import (
	"path/filepath"
	"slices"
)

// handlers matches the file of the revocation handler below a volume or a home, in every version.
const handlers = "repository/components/dropins/wso2is.notification.event.handlers*.jar"

// HasRevocationHandler reports whether the handler with which IS reports revoked tokens to API-M lies below one of the folders.
func HasRevocationHandler(folders ...string) bool {
	return slices.ContainsFunc(folders, func(folder string) bool {
		found, err := filepath.Glob(filepath.Join(folder, handlers))
		return err == nil && len(found) > 0
	})
}
