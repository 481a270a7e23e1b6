import { boolType, dynamicType, listType, numberType, stringType, type Type } from '../type.ts';

const of = (type: Type, names: string): [string, Type][] => names.split(' ').map((name) => [name, type]);

/** Result types of functions where they do not depend on the arguments: known even while an argument is not. */
export const resultTypes: ReadonlyMap<string, Type> = new Map([
  ...of(
    stringType,
    'base64decode base64encode bcrypt chomp cidrhost cidrnetmask cidrsubnet format formatdate indent join jsonencode lower md5 regex_replace replace reverse rsadecrypt sha1 sha256 sha512 strrev substr timeadd title trim trimprefix trimspace trimsuffix upper urlencode uuidv4 uuidv5 yamlencode abspath basename dirname file filebase64 pathexpand',
  ),
  ...of(numberType, 'abs ceil floor length log max min parseint pow signum strlen'),
  ...of(boolType, 'contains fileexists can'),
  ...of(listType(stringType), 'compact formatlist sort split cidrsubnets'),
  ...of(listType(numberType), 'range'),
  ...of(dynamicType, 'jsondecode yamldecode csvdecode'),
]);
