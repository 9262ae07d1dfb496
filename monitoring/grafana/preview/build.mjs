// Bundle preview.tsx into one script. The editor and the icons are left out: no panel needs them.
import { createRequire } from 'node:module';
import { resolve } from 'node:path';

const [source, modules, out] = process.argv.slice(2);
const { build } = createRequire(resolve(modules, 'package.json'))('esbuild');
const shim = (name) => resolve(source, 'shims', name);

await build({
  entryPoints: [resolve(source, 'preview.tsx')],
  outfile: resolve(out, 'preview.js'),
  bundle: true,
  format: 'iife',
  minify: true,
  jsx: 'automatic',
  nodePaths: [modules],
  mainFields: ['browser', 'module', 'main'],
  define: { 'process.env.NODE_ENV': '"production"', global: 'window' },
  loader: { '.svg': 'text', '.png': 'dataurl', '.woff2': 'dataurl', '.ttf': 'dataurl' },
  alias: {
    'monaco-editor': shim('nothing.cjs'),
    'react-inlinesvg': shim('icon.mjs'),
    'react-custom-scrollbars-2': shim('scrollbars.mjs'),
    'scrollbars-as-published': resolve(modules, 'react-custom-scrollbars-2/lib/index.js'),
  },
  logLevel: 'error',
});
