/** `tsx scripts/release-notes.ts VERSION IMAGE`: prints the notes of a release, with its image by digest. */
import { readFileSync } from 'node:fs';
import { sectionOf } from './changelog.js';

const [version = '', image = ''] = process.argv.slice(2);
console.log(`${sectionOf(readFileSync('CHANGELOG.md', 'utf8'), version)}\n\nImage: \`${image}\``);
