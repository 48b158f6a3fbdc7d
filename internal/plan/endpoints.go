package plan

import (
	"reflect"
	"slices"
	"strings"

	"wso2agent/internal/desired"
)

// The server keeps endpoints as they are sent, in a form that depends on their type. These functions read and write one form:
// the type, the addresses of production and sandbox, and what belongs to each address.

const configKey = "endpointConfig"

// several reports whether endpoints of a type have several addresses.
func several(kind string) bool { return kind == "load_balance" || kind == "failover" }

func kindAt(o Object) string { return textAt(o, configKey+".endpoint_type", "") }

// blocksAt returns the blocks of the addresses of a side, production or sandbox. The first one of failover comes first.
func blocksAt(o Object, side string) (all []Object) {
	for _, key := range []string{side + "_endpoints", side + "_failovers"} {
		if one, is := at(o, configKey+"."+key).(map[string]any); is {
			all = append(all, one)
		}
		all = append(all, objectsAt(o, configKey+"."+key)...)
	}
	return all
}

func addressesAt(o Object, side string) []string {
	var all []string
	for _, b := range blocksAt(o, side) {
		all = append(all, textAt(b, "url", ""))
	}
	return all
}

// putBlocks writes the blocks of a side in the form of a type.
func putBlocks(body Object, kind, side string, blocks []Object) {
	putAt(body, configKey+".endpoint_type", kind)
	config := body[configKey].(map[string]any)
	delete(config, side+"_failovers")
	if len(blocks) == 0 {
		delete(config, side+"_endpoints")
		return
	}
	list := []any{}
	for _, b := range blocks {
		delete(b, "endpoint_type")
		if kind == "address" { // which the portal writes into the block too
			b["endpoint_type"] = kind
		}
		list = append(list, map[string]any(b))
	}
	switch kind {
	case "load_balance":
		config[side+"_endpoints"] = list
	case "failover":
		config[side+"_endpoints"], config[side+"_failovers"] = list[0], list[1:]
	default:
		config[side+"_endpoints"] = list[0]
	}
}

// putKind changes the type of the endpoints, and adds what the portal has for it.
func putKind(body Object, kind string) {
	blocks := map[string][]Object{"production": blocksAt(body, "production"), "sandbox": blocksAt(body, "sandbox")}
	dynamic := kindAt(body) == "default"
	for _, side := range sides {
		switch {
		case kind == "default":
			blocks[side] = []Object{{"url": "default"}}
		case dynamic:
			blocks[side] = nil
		}
		putBlocks(body, kind, side, blocks[side])
	}
	config := body[configKey].(map[string]any)
	for _, key := range []string{"algoCombo", "algoClassName", "sessionManagement", "sessionTimeOut", "failOver"} {
		if _, stays := portalKeys[kind][key]; !stays {
			delete(config, key)
		}
	}
	for key, value := range portalKeys[kind] {
		if _, is := config[key]; !is || key == "failOver" {
			config[key] = value
		}
	}
}

var sides = []string{"production", "sandbox"}

const roundRobin = "org.apache.synapse.endpoints.algorithms.RoundRobin"

// portalKeys are the fields that the Publisher's portal writes for a type.
var portalKeys = map[string]map[string]string{
	"load_balance": {"algoCombo": roundRobin, "algoClassName": roundRobin, "sessionManagement": "", "sessionTimeOut": "", "failOver": "False"},
	"failover":     {"failOver": "True"},
	"default":      {"failOver": "False"},
}

// fitting returns the type that endpoints with one or several addresses are to have: the present one if it fits.
func fitting(body Object, many bool) string {
	kind := kindAt(body)
	switch {
	case kind != "" && kind != "default" && several(kind) == many && (kind == "ws") == (body["type"] == "WS"):
		return kind
	case body["type"] == "WS":
		return "ws"
	case many:
		return "load_balance"
	}
	return "http"
}

// putAddresses writes the addresses of a side. What belongs to an address stays with its place, so that another address has the same
// time-outs.
func putAddresses(body Object, side string, urls []string, many bool) {
	if kind := fitting(body, many); kind != kindAt(body) {
		putKind(body, kind)
	}
	was := blocksAt(body, side)
	var blocks []Object
	for i, url := range urls {
		b := Object{}
		if len(was) > 0 {
			b = clone(was[min(i, len(was)-1)]).(Object)
		}
		b["url"] = url
		blocks = append(blocks, b)
	}
	putBlocks(body, kindAt(body), side, blocks)
}

// followed gives the sandbox the backend of production if the file says nothing of a sandbox, and the server has none of its own: so
// the agent has always made its APIs. A sandbox with other time-outs is one of its own, also at the same address. To have no sandbox the
// file says null.
func followed(e desired.Group[desired.Endpoints], have Object) desired.Group[desired.Endpoints] {
	if v := e.Value; !e.Set || e.Null || v.Sandbox.Set || !v.Production.Set || v.Production.Null {
		return e
	}
	if have == nil || reflect.DeepEqual(blocksAt(have, "production"), blocksAt(have, "sandbox")) {
		e.Value.Sandbox = e.Value.Production
	}
	return e
}

// endpointTable has the rows of endpoints: the type first, then the addresses, then what belongs to an address.
var endpointTable = slices.Concat(
	[]mapping{noEndpointsRow, endpointTypeRow},
	sideRows("production", func(e desired.Endpoints) desired.Group[desired.Endpoint] { return e.Production }),
	sideRows("sandbox", func(e desired.Endpoints) desired.Group[desired.Endpoint] { return e.Sandbox }),
	[]mapping{textRow("endpoints.session_management", configKey+".sessionManagement", "", func(a api) desired.Text { return a.Endpoints.Value.Sessions })},
)

// noEndpointsRow resets all endpoints.
var noEndpointsRow = mapping{
	path: "endpoints",
	want: func(from any) (any, bool) { a := from.(api); return nil, a.Endpoints.Set && a.Endpoints.Null },
	have: func(o Object) any {
		if kind := kindAt(o); kind != "" {
			return kind
		}
		return nil
	},
	put: func(body Object, _ any) { body[configKey] = nil },
}

var endpointTypeRow = mapping{
	path: "endpoints.type",
	want: func(from any) (any, bool) {
		a := from.(api)
		e := a.Endpoints.Value
		return e.Kind(a.Type.Or("HTTP")), e.Type.Set
	},
	have: func(o Object) any {
		if kind := kindAt(o); kind != "" {
			return kind
		}
		return nil
	},
	put: func(body Object, value any) { putKind(body, value.(string)) },
}

// sideRows has the rows of production or sandbox.
func sideRows(side string, of func(desired.Endpoints) desired.Group[desired.Endpoint]) []mapping {
	path := "endpoints." + side
	get := func(a api) desired.Endpoint { return of(a.Endpoints.Value).Value }
	address := func(o Object, many bool) any {
		all := addressesAt(o, side)
		switch kind := kindAt(o); {
		case len(all) == 0, kind == "default", several(kind) != many:
			return nil
		case many:
			return all
		}
		return all[0]
	}
	rows := []mapping{
		{
			path: path,
			want: func(from any) (any, bool) { a := from.(api); e := of(a.Endpoints.Value); return nil, e.Set && e.Null },
			have: func(o Object) any {
				if all := addressesAt(o, side); len(all) > 0 {
					return strings.Join(all, ", ")
				}
				return nil
			},
			put: func(body Object, _ any) {
				if kind := kindAt(body); kind != "" {
					putBlocks(body, kind, side, nil)
				}
				if security, is := at(body, configKey+".endpoint_security").(map[string]any); is {
					delete(security, side)
				}
			},
		},
		{
			path: path + ".url",
			want: func(from any) (any, bool) { a := from.(api); url := get(a).URL; return url.Value, url.Set && !url.Null },
			have: func(o Object) any { return address(o, false) },
			put:  func(body Object, value any) { putAddresses(body, side, []string{value.(string)}, false) },
		},
		{
			path: path + ".urls",
			want: func(from any) (any, bool) {
				a := from.(api)
				urls := get(a).URLs
				return orderOf(urls), len(urls.Value) > 0
			},
			have: func(o Object) any { return address(o, true) },
			put:  func(body Object, value any) { putAddresses(body, side, value.([]string), true) },
		},
	}
	rows = append(rows, timeRows(path, side, get)...)
	return append(rows, securityRows(path+".security", side, func(a api) desired.Group[desired.EndpointAuth] { return get(a).Security })...)
}

// orderOf returns the values of a list in their order.
func orderOf(list desired.Texts) []string {
	var all []string
	for _, item := range list.Value {
		all = append(all, item.Value)
	}
	return all
}
