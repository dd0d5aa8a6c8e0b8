// Package actions keeps the action URIs: addresses with placeholders that are
// filled from an appointment or a task, to open a page of another system (GET) or
// to send it the item's data (POST). The board shows them where their source app,
// source type and scope fit; so does the portal.
//
// Guarantees: a value never leaves its place in the address, whatever it holds
// (each is encoded by where it stands); an address leads to a listed host only, and
// by https; what is not known as a placeholder is refused when it is saved. Data is
// sent to where an action says and to no place that it redirects to.
//
// Vendor facts: docs.dimescheduler.com administration/settings/actions, and
// ActionUri of the .NET SDK.
package actions
