package wso2sim

import (
	"cmp"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// onlyDefault has no other version of an API be the default one.
func (am *AM) onlyDefault(chosen *api) {
	for _, a := range am.lookup.versions(chosen.name()) {
		if a != chosen && a.dto.IsDefaultVersion {
			a.dto.IsDefaultVersion = false
			am.changed("api", a.id())
		}
	}
}

// copyAPI makes a further version of an API, in the same context.
func (am *AM) copyAPI(w http.ResponseWriter, r *http.Request) error {
	query := r.URL.Query()
	from, version := am.apis[query.Get("apiId")], query.Get("newVersion")
	switch {
	case version == "":
		return invalid("createNewAPIVersion.arg0", "must not be null")
	case from == nil:
		return noAPI(query.Get("apiId"))
	}
	for _, other := range am.lookup.versions(from.name()) {
		if other.name() == from.name() && other.version() == version {
			return &fault{status: 409, code: 900252, message: "The API version already exists.",
				description: "An API with version '" + version + "' already exists"}
		}
	}
	dto := from.dto
	dto.Version = &version
	dto.Operations = slices.Clone(from.dto.Operations)
	dto.AdvertiseInfo = ptr(*from.dto.AdvertiseInfo)
	dto.IsDefaultVersion = query.Get("defaultVersion") == "true"
	a := am.store(dto)
	a.documents, a.definition = from.copyDocuments(), from.definition
	if a.dto.IsDefaultVersion {
		am.onlyDefault(a)
	}
	w.Header().Set("Location", am.url(am.port)+"/api/am/publisher/apis/"+a.id())
	writeJSON(w, http.StatusCreated, am.freshViewOf(a.dto))
	return nil
}

// older are the versions of an API that come before it and are not retired, the latest first.
func (am *AM) older(a *api) []*api {
	found := slices.DeleteFunc(slices.Clone(am.lookup.versions(a.name())), func(other *api) bool {
		return other == a || other.name() != a.name() || compareVersions(other.version(), a.version()) >= 0 ||
			other.dto.LifeCycleStatus == "RETIRED"
	})
	slices.SortFunc(found, func(x, y *api) int { return compareVersions(y.version(), x.version()) })
	return found
}

// deprecateOlder deprecates the published versions that come before an API.
func (am *AM) deprecateOlder(a *api) {
	for _, old := range am.older(a) {
		if old.dto.LifeCycleStatus == "PUBLISHED" {
			old.enter("DEPRECATED")
			am.changed("api", old.id())
			am.reindex(old)
		}
	}
}

// compareVersions compares their parts, as numbers where both are such.
func compareVersions(a, b string) int {
	return slices.CompareFunc(strings.Split(a, "."), strings.Split(b, "."), func(x, y string) int {
		m, errM := strconv.Atoi(x)
		n, errN := strconv.Atoi(y)
		if errM == nil && errN == nil {
			return cmp.Compare(m, n)
		}
		return strings.Compare(x, y)
	})
}

// carrySubscriptions subscribes the applications that have subscribed to older versions of an API to this one, with
// the tier of the latest of them, whether the API offers it or not (carbon-apimgt, ApiMgtDAO.makeKeysForwardCompatible).
func (am *AM) carrySubscriptions(a *api) {
	for _, old := range am.older(a) {
		for app, s := range maps.Clone(am.lookup.ofAPI[old]) {
			if am.lookup.ofApplication[app][a] != nil {
				continue
			}
			now := time.Now()
			am.addSubscription(&subscription{
				id: newUUID(), tier: s.tier, application: app, api: a, created: now, known: now.Add(am.delays.Client.pick()),
			})
		}
	}
}
