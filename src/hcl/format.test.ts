import { describe, expect, it } from 'vitest';
import { format } from './format.ts';

describe('format', () => {
  it.each([
    [
      'a=1\nbbb   =  2\nfoo   "x"{\na=[1,2,\n3]\n  # c\nb=<<EOT\n  x\nEOT\n}\n',
      'a   = 1\nbbb = 2\nfoo "x" {\n  a = [1, 2,\n  3]\n  # c\n  b = <<EOT\n  x\nEOT\n}\n',
    ],
    ['a = 1 # x\nbb = 22 # y\n\nd=!x?-1:(2*3)\n', 'a  = 1  # x\nbb = 22 # y\n\nd = !x ? -1 : (2 * 3)\n'],
    ['w={for k,v in y:k=>v...}\nf = g(a,b...)', 'w = { for k, v in y : k => v... }\nf = g(a, b...)'],
    ['\ta = "${  b+1 }c"   \n\n\nb{\n// e\n}\n', 'a = "${b + 1}c"\n\n\nb {\n  // e\n}\n'],
    ['/* c */   a = 1\n', '/* c */ a = 1\n'],
  ])('%j', (text, formatted) => {
    expect(format(text)).toBe(formatted);
    expect(format(formatted)).toBe(formatted);
  });
});
