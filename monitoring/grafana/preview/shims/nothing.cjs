// Stands for a module that is loaded and never used.
const nothing = new Proxy(function () {}, { get: () => nothing, apply: () => nothing, construct: () => ({}) });
module.exports = { __esModule: true, default: () => null, editor: nothing, languages: nothing };
