// The package is CommonJS, whose default export an ES module finds one level deeper.
import module from 'scrollbars-as-published';

export default module.default ?? module;
