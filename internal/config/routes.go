package config

import (
	"fmt"
	"net"
	"slices"
	"strings"
)

// Routes are addresses (host:port) by the address that stands for them, as with curl --connect-to.
type Routes map[string]string

// To returns the address at which this process reaches a server's address (host:port): the same without a route.
func (r Routes) To(address string) string {
	if to, ok := r[address]; ok {
		return to
	}
	return address
}

// String returns the routes as CONNECT_TO has them, in order.
func (r Routes) String() string {
	var all []string
	for from, to := range r {
		all = append(all, from+"="+to)
	}
	slices.Sort(all)
	return strings.Join(all, ",")
}

// parseRoutes reads host:port=host:port, separated by commas. The words of an error follow the name of the variable.
func parseRoutes(value string) (Routes, error) {
	routes := Routes{}
	for _, route := range strings.Split(value, ",") {
		from, to, _ := strings.Cut(route, "=")
		for _, address := range []string{from, to} {
			host, port, err := net.SplitHostPort(address)
			if err != nil || !isHost(host) || !isNumber(port, 65535) {
				return nil, fmt.Errorf("has %q: a route is host:port=host:port, such as wso2is:9443=localhost:9443, and commas separate routes", route)
			}
		}
		if other, twice := routes[from]; twice && other != to {
			return nil, fmt.Errorf("has two routes for %s: remove one of them", from)
		}
		routes[from] = to
	}
	return routes, nil
}
