package wso2sim

import (
	"slices"
	"strings"
	"time"
)

// lookup finds things without walking over all of them: a test may have 5,000 APIs and 1,000 applications. Names and
// contexts of an API never change, so that an entry holds until the API is deleted.
type lookup struct {
	apisByName    map[string][]*api         // by the lower-case name
	apisByContext map[string][]*api         // by the lower-case context
	apisByRoute   map[string][]*api         // by the paths under which the gateway may have them
	appsByName    map[string][]*application // by the lower-case name; two can have one name for no longer than an update takes
	ofApplication map[*application]map[*api]*subscription
	ofAPI         map[*api]map[*application]*subscription
	byClient      map[string][]*keyMapping
}

func newLookup() lookup {
	return lookup{
		apisByName: map[string][]*api{}, apisByContext: map[string][]*api{}, apisByRoute: map[string][]*api{},
		appsByName: map[string][]*application{}, ofApplication: map[*application]map[*api]*subscription{},
		ofAPI: map[*api]map[*application]*subscription{}, byClient: map[string][]*keyMapping{},
	}
}

func add[T any](to map[string][]T, key string, item T) { to[key] = append(to[key], item) }

func remove[T comparable](from map[string][]T, key string, item T) {
	rest := slices.DeleteFunc(from[key], func(other T) bool { return other == item })
	if len(rest) == 0 {
		delete(from, key)
		return
	}
	from[key] = rest
}

// routesOf are the paths under which a version of an API may be called: its own, and that of the default version.
func routesOf(dto *apiDTO) []string {
	full, short := fullContext(dto), strings.ReplaceAll(value(dto.Context), "/{version}", "")
	if full == short {
		return []string{full}
	}
	return []string{full, short}
}

func (l *lookup) addAPI(a *api) {
	add(l.apisByName, strings.ToLower(a.name()), a)
	add(l.apisByContext, strings.ToLower(value(a.dto.Context)), a)
	for _, route := range routesOf(&a.dto) {
		add(l.apisByRoute, route, a)
	}
}

func (l *lookup) removeAPI(a *api) {
	delete(l.ofAPI, a)
	remove(l.apisByName, strings.ToLower(a.name()), a)
	remove(l.apisByContext, strings.ToLower(value(a.dto.Context)), a)
	for _, route := range routesOf(&a.dto) {
		remove(l.apisByRoute, route, a)
	}
}

// versions are the APIs of a name, whatever its case.
func (l *lookup) versions(name string) []*api { return l.apisByName[strings.ToLower(name)] }

// beside are the APIs that can be in the way of a new one.
func (l *lookup) beside(dto *apiDTO) []*api {
	return slices.Concat(l.versions(*dto.Name), l.apisByContext[strings.ToLower(*dto.Context)])
}

// deployedAt finds what the gateway serves under a path: the longest context wins. The rest of the path is what is
// behind the context.
func (l *lookup) deployedAt(path string, now time.Time) (found *api, dto *apiDTO, rest string) {
	for end := len(path); end > 0; end = strings.LastIndexByte(path[:end], '/') {
		for _, a := range l.apisByRoute[path[:end]] {
			dto := a.onGateway(now)
			if dto == nil || a.dto.LifeCycleStatus == "RETIRED" {
				continue
			}
			if fullContext(dto) == path[:end] || dto.IsDefaultVersion {
				return a, dto, path[end:]
			}
		}
	}
	return nil, nil, ""
}

func (l *lookup) addSubscription(s *subscription) {
	if l.ofApplication[s.application] == nil {
		l.ofApplication[s.application] = map[*api]*subscription{}
	}
	if l.ofAPI[s.api] == nil {
		l.ofAPI[s.api] = map[*application]*subscription{}
	}
	l.ofApplication[s.application][s.api] = s
	l.ofAPI[s.api][s.application] = s
}

func (l *lookup) removeSubscription(s *subscription) {
	delete(l.ofApplication[s.application], s.api)
	delete(l.ofAPI[s.api], s.application)
}

// addSubscription, and the next two, keep what is kept and the lookup in step. The lock is held.
func (am *AM) addSubscription(s *subscription) {
	am.subscriptions[s.id] = s
	am.lookup.addSubscription(s)
	am.changed("subscription", s.id)
}

func (am *AM) removeSubscription(s *subscription) {
	delete(am.subscriptions, s.id)
	am.lookup.removeSubscription(s)
	am.changed("subscription", s.id)
}

// tie notes the client of a key mapping.
func (am *AM) tie(m *keyMapping, client string) {
	m.clientID = client
	add(am.lookup.byClient, client, m)
	am.changed("application", m.application.id)
}
